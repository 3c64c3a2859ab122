/* lwIP with a virtual clock, as a process that reads one command a line and answers each with lines.
 *
 * Commands, PORT being the local port that names a connection:
 *   open PORT ADDRESS PEER PEER_PORT   begin to open a connection
 *   input PORT OCTETS                  an IPv4 packet arrives, in hexadecimal digits
 *   send PORT | shutdown PORT | close PORT | abort PORT
 *   expire PORT                        let time pass until the connection is gone
 * First of all it writes the version of lwIP. Answer: a line "packet OCTETS" for each packet sent, then "done STATE READ MARK": the number of the state in enum tcp_state,
 * the octets read, and a number that changes when the TIME-WAIT timer restarts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define LINE 8192
#define PORTS 65536
#define LONGEST 4000 /* slow ticks until any timer of a closing connection has run out: 2000 s */

static struct netif device;
static unsigned octets_read[PORTS];

static err_t send_packet(struct netif *netif, struct pbuf *packet, const ip4_addr_t *address) {
    (void)netif, (void)address;
    fputs("packet ", stdout);
    for (u16_t at = 0; at < packet->tot_len; at++)
        printf("%02x", pbuf_get_at(packet, at));
    putchar('\n');
    return ERR_OK;
}

static err_t set_up_device(struct netif *netif) {
    netif->output = send_packet;
    netif->mtu = 1500;
    return ERR_OK;
}

static struct tcp_pcb *find(struct tcp_pcb *list, unsigned port) {
    for (; list != NULL; list = list->next)
        if (list->local_port == port)
            return list;
    return NULL;
}

static struct tcp_pcb *connection(unsigned port) {
    struct tcp_pcb *found = find(tcp_active_pcbs, port);
    return found != NULL ? found : find(tcp_tw_pcbs, port);
}

static err_t on_text(void *argument, struct tcp_pcb *pcb, struct pbuf *text, err_t error) {
    (void)error;
    if (text != NULL) {
        octets_read[(size_t)argument] += text->tot_len;
        tcp_recved(pcb, text->tot_len);
        pbuf_free(text);
    }
    return ERR_OK;
}

static err_t on_connected(void *argument, struct tcp_pcb *pcb, err_t error) {
    (void)argument, (void)pcb;
    return error;
}

static void open_connection(unsigned port, const char *address, const char *peer, unsigned peer_port) {
    ip_addr_t to, from;
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL || !ipaddr_aton(peer, &to) || !ipaddr_aton(address, &from))
        exit(2);
    octets_read[port] = 0;
    tcp_arg(pcb, (void *)(size_t)port);
    tcp_recv(pcb, on_text);
    tcp_nagle_disable(pcb);
    if (tcp_bind(pcb, &from, port) != ERR_OK || tcp_connect(pcb, &to, peer_port, on_connected) != ERR_OK)
        exit(2);
}

static void packet_arrives(const char *digits) {
    size_t length = strlen(digits) / 2;
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
    if (packet == NULL)
        exit(2);
    for (size_t at = 0; at < length; at++) {
        unsigned octet;
        if (sscanf(digits + 2 * at, "%2x", &octet) != 1)
            exit(2);
        pbuf_put_at(packet, (u16_t)at, (u8_t)octet);
    }
    if (ip_input(packet, &device) != ERR_OK)
        pbuf_free(packet);
}

static void call(const char *name, unsigned port) {
    struct tcp_pcb *pcb = find(tcp_active_pcbs, port);
    if (!strcmp(name, "abort"))
        pcb = connection(port);
    if (pcb == NULL)
        return;
    if (!strcmp(name, "send") && tcp_write(pcb, "x", 1, TCP_WRITE_FLAG_COPY) == ERR_OK)
        tcp_output(pcb);
    else if (!strcmp(name, "shutdown"))
        tcp_shutdown(pcb, 0, 1);
    else if (!strcmp(name, "close")) {
        tcp_recv(pcb, NULL);
        tcp_close(pcb);
    } else if (!strcmp(name, "abort"))
        tcp_abort(pcb);
}

static void expire(unsigned port) {
    for (int ticks = 0; ticks < LONGEST && connection(port) != NULL; ticks++)
        tcp_slowtmr();
}

static void answer(unsigned port) {
    struct tcp_pcb *pcb = connection(port);
    unsigned long mark = pcb == NULL ? 0 : pcb->tmr;
    tcp_fasttmr(); /* delayed acknowledgements */
    pcb = connection(port);
    printf("done %d %u %lu\n", pcb == NULL ? CLOSED : (int)pcb->state, octets_read[port], mark);
    fflush(stdout);
}

int main(void) {
    static char line[LINE], name[16], first[LINE], second[64];
    ip4_addr_t address, mask, gateway;
    lwip_init();
    IP4_ADDR(&address, 192, 0, 2, 1);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 192, 0, 2, 2);
    if (netif_add(&device, &address, &mask, &gateway, NULL, set_up_device, ip_input) == NULL)
        return 2;
    netif_set_default(&device);
    netif_set_up(&device);
    netif_set_link_up(&device);
    printf("%s\n", LWIP_VERSION_STRING);
    fflush(stdout);
    while (fgets(line, LINE, stdin) != NULL) {
        unsigned port, peer_port;
        int fields = sscanf(line, "%15s %u %8191s %63s %u", name, &port, first, second, &peer_port);
        if (fields < 2 || port >= PORTS)
            return 2;
        tcp_ticks++; /* the clock moves, and no retransmission timer with it */
        if (!strcmp(name, "open") && fields == 5)
            open_connection(port, first, second, peer_port);
        else if (!strcmp(name, "input") && fields == 3)
            packet_arrives(first);
        else if (!strcmp(name, "expire"))
            expire(port);
        else
            call(name, port);
        answer(port);
    }
    return 0;
}
