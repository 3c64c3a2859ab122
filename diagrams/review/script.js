"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const ENDS = ["A", "B"];
  const find = (id) => document.getElementById(id);

  // The run on view, and the elements that belong to one run alone.
  let run = data.runs[0];
  const last = () => run.steps.length - 1;
  const number = () => data.runs.indexOf(run);
  const ofRuns = [...document.querySelectorAll(".run")];
  const runOf = (element) => Number(element.closest(".run").dataset.run);

  // Parts of the chart and the table; the script inserts each when it comes into view, a browser without scripts shows all.
  const narrow = matchMedia("(max-width: 660px)");
  const all = [...document.querySelectorAll(".part")];
  const shown = () => all.filter((part) => runOf(part) === number() && part.closest(narrow.matches ? ".slim" : ".beside"));

  // The elements of inserted parts, by run and then by step and by copy.
  const parts = data.runs.map(() => new Map());
  const lifetimes = data.runs.map(() => new Map());
  const addTo = (map, key, element) => {
    if (!map.has(key)) map.set(key, []);
    map.get(key).push(element);
  };
  const fillPart = (part) => {
    const words = part.querySelector("noscript");
    if (!words) return false;
    part.innerHTML = words.textContent;
    const of = runOf(part);
    for (const element of part.querySelectorAll("[data-step], [data-row]")) {
      const { step, row, sent } = element.dataset;
      addTo(parts[of], Number(step || row), element);
      if (sent && sent !== step) addTo(parts[of], Number(sent), element);
    }
    for (const element of part.querySelectorAll(".lifetime")) addTo(lifetimes[of], Number(element.dataset.copy), element);
    dim(part);
    return true;
  };
  const maps = ENDS.map((end) => document.querySelector(`.minimap[data-end="${end}"]`));
  const states = maps.map((map) => new Map([...map.querySelectorAll(".state")].map((node) => [node.dataset.state, node])));
  const transitions = maps.map((map) => new Map([...map.querySelectorAll(".transition")].map((edge) => [`${edge.dataset.from} ${edge.dataset.to}`, edge])));

  // The variables at each step, computed on demand.
  let values = [run.initial];
  const at = (step) => {
    while (values.length <= step) {
      const next = { ...values[values.length - 1] };
      for (const [name, , after] of run.steps[values.length].changed) next[name] = after;
      values.push(next);
    }
    const now = run.steps[step];
    return { ...values[step], time: now.seconds, step, flight: (now.flight || []).length };
  };

  let current = 0;
  let playing = 0;
  let watched = [];
  const chosen = () => find("actor").value;
  const dim = (where) => {
    for (const element of where.querySelectorAll("[data-actor]")) {
      const { actor, step, row } = element.dataset;
      const breaks = data.runs[runOf(element)].steps[Number(step || row)].fails;
      element.classList.toggle("dim", Boolean(chosen()) && actor !== chosen() && !breaks);
    }
  };

  // --- making elements -------------------------------------------------------------------------------------------------

  const make = (tag, text, kind) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  const fill = (list, items, otherwise) => {
    list.replaceChildren(...(items.length ? items : [make("li", otherwise, "muted")]));
  };
  const cells = (id, lines, otherwise) => {
    const body = find(id).tBodies[0];
    if (!lines.length) {
      const cell = make("td", otherwise, "none");
      cell.colSpan = 3;
      lines = [[cell]];
    }
    body.replaceChildren(...lines.map((line) => {
      const row = make("tr");
      row.append(...line);
      return row;
    }));
  };
  const amount = (share, text, label) => {
    const cell = make("td");
    const meter = make("meter");
    meter.value = share;
    meter.setAttribute("aria-label", label);
    cell.append(meter, text);
    return cell;
  };
  const head = (text) => {
    const cell = make("th", text);
    cell.scope = "row";
    return cell;
  };
  const named = (number) => `copy ${number}, ${run.copies[number].from} to ${run.copies[number].to}: ${run.copies[number].text}`;

  // --- one step --------------------------------------------------------------------------------------------------------

  const happened = (step) => {
    const now = run.steps[step];
    const lines = [];
    if (step && now.delay !== "0") lines.push(make("li", `${now.delay} after the previous step`));
    if (now.received) lines.push(make("li", `${named(now.received)}, sent at ${run.copies[now.received].sent}, arrives`));
    for (const number of now.sent || []) {
      lines.push(make("li", `${run.copies[number].lost ? "the network loses" : "sends"} ${named(number)}`));
    }
    for (const why of now.others || []) lines.push(make("li", why, "muted"));
    if (!step) lines.push(make("li", "the connection is open"));
    return lines;
  };
  const ruled = (rule) => {
    const line = make("li", `${rule.text} (`);
    if (rule.link) {
      const link = make("a", rule.section);
      link.href = rule.link;
      line.append(link);
    } else line.append(rule.section);
    line.append(")");
    return line;
  };
  const changes = (now) => {
    const lines = (now.changed || []).map(([name, old, value]) => [head(name), make("td", String(old)), make("td", String(value))]);
    for (const number of now.came || []) lines.push([head("in flight"), make("td", ""), make("td", `+ ${named(number)}`)]);
    for (const number of now.gone || []) lines.push([head("in flight"), make("td", `− ${named(number)}`), make("td", "")]);
    return lines;
  };
  const onKernel = (now) => {
    if (!now.kernel) return [];
    const states = ENDS.map((end, side) => make("li", `${end} ${now.kernel.states[side]}`));
    return [...states, make("li", now.kernel.sent || "nothing is sent")];
  };
  const details = (step) => {
    const now = run.steps[step];
    find("step-title").textContent = step ? `Step ${step}: ${now.title}` : "The start";
    find("fails").hidden = !now.fails;
    find("fails").textContent = now.fails || "";
    fill(find("happened"), happened(step), "time passes");
    if (find("kernel")) fill(find("kernel"), onKernel(now), step ? "this step was not carried out" : "the connection is open");
    fill(find("guards"), (now.guards || []).map((guard) => make("li", guard)), step ? "time may pass" : "every run starts here");
    fill(find("rules"), (now.rules || []).map(ruled), "none");
    cells("changed", changes(now), "nothing");
    cells("flight", (now.flight || []).map(([number, left, share]) => [
      head(`${number}`),
      make("td", `${run.copies[number].from} to ${run.copies[number].to}: ${run.copies[number].text}`),
      amount(share, left, `life left of copy ${number}`),
    ]), "nothing");
    cells("timers", now.timers.map((timer) => [
      head(`${timer.owner}: ${timer.name}`),
      amount(timer.share, timer.shows, `${timer.name} timer of ${timer.owner}`),
      make("td", timer.limit),
    ]), "none");
  };

  const showStates = (step) => {
    const before = run.steps[Math.max(step - 1, 0)].states;
    run.steps[step].states.forEach((state, side) => {
      find(`state-${ENDS[side]}`).textContent = state;
      for (const [name, node] of states[side]) {
        node.classList.toggle("highlighted", name === state);
        if (name === state) node.setAttribute("aria-current", "true"); else node.removeAttribute("aria-current");
      }
      for (const [name, edge] of transitions[side]) edge.classList.toggle("taken", step > 0 && name === `${before[side]} ${state}`);
      maps[side].setAttribute("aria-label", `The states of ${ENDS[side]}; now ${state}`);
    });
  };

  const scrollToStep = (step) => {
    const pane = find("chart");
    const mark = (parts[number()].get(step) || []).find((element) => element.matches(".step") && element.getClientRects().length);
    const target = mark || pane;
    if (!step) return pane.scrollTo({ top: 0, behavior: "instant" });
    const view = pane.getBoundingClientRect();
    const place = target.getBoundingClientRect();
    if (place.top < view.top + 60 || place.bottom > view.bottom - 60) {
      const distance = place.top - view.top - view.height / 2;
      pane.scrollTo({ top: pane.scrollTop + distance, behavior: Math.abs(distance) > 2 * view.height ? "instant" : "auto" });
    }
  };

  let highlighted = [];
  const highlight = () => {
    const now = run.steps[current];
    const copies = [...(now.received ? [now.received] : []), ...(now.sent || [])];
    for (const element of highlighted) element.classList.remove("highlighted");
    highlighted = [...(parts[number()].get(current) || []), ...copies.flatMap((copy) => lifetimes[number()].get(copy) || [])];
    for (const element of highlighted) element.classList.add("highlighted");
  };
  const observer = (root) => new IntersectionObserver((seen) => {
    const fresh = seen.filter((item) => item.isIntersecting && fillPart(item.target));
    if (fresh.length) highlight();
  }, { root, rootMargin: "600px" });

  const choose = (index) => {
    run = data.runs[index] || data.runs[0];
    values = [run.initial];
    for (const element of ofRuns) element.hidden = runOf(element) !== number();
    for (const row of document.querySelectorAll("[data-choice]")) {
      if (Number(row.dataset.choice) === number()) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    }
    if (find("run")) find("run").value = number();
    watched = watched.map(({ text }) => item(text));
    const first = all.find((part) => part.closest("#all") && runOf(part) === number());
    if (first) fillPart(first);
  };
  const place = () => `${number() ? `run=${encodeURIComponent(run.name)}&` : ""}step=${current}`;
  const show = (step, { silent = false } = {}) => {
    current = Math.min(Math.max(step, 0), last());
    const now = run.steps[current];
    shown().filter((part) => part.dataset.first <= current && current <= part.dataset.last).forEach(fillPart);
    highlight();
    showStates(current);
    details(current);
    showWatched();
    taken = [];
    showOthers();
    find("place").textContent = current ? `step ${current} of ${last()}, ${now.time}:` : `start of ${last()} steps:`;
    find("headline").textContent = current ? now.title : "the connection is open";
    find("first").disabled = find("back").disabled = current === 0;
    find("last").disabled = find("forward").disabled = current === last();
    find("address").href = find("address").textContent = `#${place()}`;
    if (!silent) {
      find("said").textContent = `Step ${current} of ${last()}, ${now.time}. ${now.title}. ${now.fails || ""}`;
      history.replaceState(null, "", `#${written()}`);
    }
    scrollToStep(current);
  };

  const wanted = (step) => !chosen() || step === 0 || run.steps[step].actor === chosen() || Boolean(run.steps[step].fails);
  const move = (way) => {
    let step = current + way;
    while (step > 0 && step <= last() && !wanted(step)) step += way;
    if (step >= 0 && step <= last()) show(step);
    return step < last();
  };
  const stop = () => {
    clearInterval(playing);
    playing = 0;
    find("play").setAttribute("aria-pressed", "false");
    find("play").querySelector("span").textContent = "play";
  };
  const play = () => {
    if (playing) return stop();
    if (current === last()) show(0);
    find("play").setAttribute("aria-pressed", "true");
    find("play").querySelector("span").textContent = "pause";
    playing = setInterval(() => { if (!move(1)) stop(); }, 1400);
  };

  // --- other steps -----------------------------------------------------------------------------------------------------
  // From the step on view, a walk through the states around the run: the steps taken, each [delay, words, target, ...].

  let taken = [];
  const walk = (steps) => {
    taken = steps;
    showOthers();
    find("possible").open = true;
    find("count").focus();
  };
  const violations = ([, , , own, others]) => [
    ...(own ? [make("br"), make("b", own, "wrong")] : []),
    ...others.flatMap((why) => [make("br"), make("span", why, "muted")]),
  ];
  const inStates = (number) => run.graph.states[number].states.map((name, side) => `${ENDS[side]} ${name}`).join(", ");
  const offered = (step) => {
    const [delay, words, target] = step;
    const line = make("li");
    const explored = run.graph.steps[target] !== null;
    const name = make(explored ? "button" : "span", words);
    if (explored) {
      name.type = "button";
      name.addEventListener("click", () => (target <= last() ? show(target) : walk([...taken, step])));
    }
    const place = target <= last() ? `step ${target} of this run` : inStates(target);
    line.append(make("span", `${delay} `, "muted"), name, make("br"), make("span", place, "muted"), ...violations(step));
    return line;
  };
  const unexplored = () => {
    const broken = taken.length ? taken[taken.length - 1][3] : run.steps[current].fails;
    return broken ? "a violation is not followed" : "this part of the state graph is not on the page";
  };
  const showOthers = () => {
    if (!find("others")) return;
    find("others").hidden = !run.graph;
    if (!run.graph) return;
    const here = taken.length ? taken[taken.length - 1][2] : current;
    const steps = run.graph.steps[here];
    const lines = taken.map((step, index) => {
      const line = make("li");
      const back = make("button", index ? "back to here" : "back to the run");
      back.type = "button";
      back.addEventListener("click", () => (index ? walk(taken.slice(0, index)) : show(current)));
      line.append(back, ` ${step[0]} ${step[1]}`, ...violations(step));
      return line;
    });
    find("taken").replaceChildren(...lines);
    const flight = run.graph.states[here].flight;
    find("reached").textContent = taken.length ? `${inStates(here)}; in flight: ${flight.join(", ") || "nothing"}` : "";
    find("count").textContent = steps === null
      ? "no further step was explored from here"
      : `${steps.length} ${steps.length === 1 ? "step is" : "steps are"} possible ${taken.length ? "then" : "next"}`;
    fill(find("next"), (steps || []).map(offered), steps === null ? unexplored() : "none");
  };

  // --- expressions -----------------------------------------------------------------------------------------------------
  // or := and ("or" and)*    and := not ("and" not)*    not := "not" not | comparison
  // comparison := value (("==" | "!=" | "<" | "<=" | ">" | ">=") value)?    value := name | number | "text" | ( or )

  const TOKEN = /\s*(==|!=|<=|>=|<|>|\(|\)|"[^"]*"|[0-9]+(?:\.[0-9]+)?(?![\w.-])|[A-Za-z_][\w.-]*)/y;
  const tokens = (text) => {
    const found = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const start = TOKEN.lastIndex;
      const match = TOKEN.exec(text);
      if (!match) throw new Error(`cannot read ${text.slice(start).trim()}`);
      found.push(match[1]);
    }
    return found;
  };
  const compare = {
    "==": (a, b) => a === b,
    "!=": (a, b) => a !== b,
    "<": (a, b) => a < b,
    "<=": (a, b) => a <= b,
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
  };
  const parse = (text) => {
    const rest = tokens(text);
    const known = at(0);
    const value = () => {
      const token = rest.shift();
      if (token === undefined) throw new Error("something is missing at the end");
      if (token === "(") {
        const inner = either();
        if (rest.shift() !== ")") throw new Error("a ) is missing");
        return inner;
      }
      if (token[0] === '"') return () => token.slice(1, -1);
      if (/^[0-9]/.test(token)) return () => Number(token);
      if (token in known) return (now) => now[token];
      if (/^[A-Z_0-9]+$/.test(token) && token.length > 1) return () => token;
      if (/^off$/.test(token)) return () => token;
      throw new Error(`there is no variable ${token}`);
    };
    const comparison = () => {
      const left = value();
      if (!(rest[0] in compare)) return left;
      const same = compare[rest.shift()];
      const right = value();
      return (now) => same(left(now), right(now));
    };
    const negation = () => {
      if (rest[0] !== "not") return comparison();
      rest.shift();
      const inner = negation();
      return (now) => !inner(now);
    };
    const chain = (word, part, join) => () => {
      let left = part();
      while (rest[0] === word) {
        rest.shift();
        const [first, second] = [left, part()];
        left = (now) => join(first(now), second(now));
      }
      return left;
    };
    const both = chain("and", negation, (a, b) => a && b);
    const either = chain("or", both, (a, b) => a || b);
    const whole = either();
    if (rest.length) throw new Error(`cannot read ${rest.join(" ")}`);
    return whole;
  };
  const ranges = (test) => {
    const found = [];
    for (let step = 0; step <= last(); step += 1) {
      if (!test(at(step))) continue;
      const open = found[found.length - 1];
      if (open && open[1] === step - 1) open[1] = step; else found.push([step, step]);
    }
    return found.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(", ");
  };
  const item = (text) => {
    const test = parse(text);
    return { text, test, when: typeof test(at(0)) === "boolean" ? ranges(test) : null };
  };
  const watch = (text) => {
    try {
      watched.push(item(text));
      find("complaint").textContent = "";
      return true;
    } catch (problem) {
      find("complaint").textContent = `${text}: ${problem.message}`;
      return false;
    }
  };
  const showWatched = () => {
    find("watched").replaceChildren(...watched.map((one, index) => {
      const value = one.test(at(current));
      const before = current ? one.test(at(current - 1)) : value;
      const line = make("li");
      const text = make("span");
      text.append(make("span", one.text, "fixed"), " ", make("b", `${value}`), value === before ? "" : ` (was ${before})`);
      if (one.when !== null) text.append(make("br"), make("span", one.when ? `true at steps ${one.when}` : "never true", "muted"));
      const remove = make("button", "×");
      remove.type = "button";
      remove.setAttribute("aria-label", `stop watching ${one.text}`);
      remove.addEventListener("click", () => {
        watched.splice(index, 1);
        show(current);
        find("expression").focus();
      });
      line.append(text, remove);
      return line;
    }));
  };

  // --- the address -----------------------------------------------------------------------------------------------------

  const written = () => [place(), ...watched.map((one) => `watch=${encodeURIComponent(one.text)}`)].join("&");
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    choose(Math.max(data.runs.findIndex((each) => each.name === asked.get("run")), 0));
    if (asked.has("watch")) {
      watched = [];
      asked.getAll("watch").forEach(watch);
    }
    const step = Number(asked.get("step") || 0);
    show(Number.isInteger(step) ? step : 0, { silent: !asked.has("step") });
  };

  // --- input -----------------------------------------------------------------------------------------------------------

  const keys = {
    j: () => move(1), ArrowRight: () => move(1), ArrowDown: () => move(1),
    k: () => move(-1), ArrowLeft: () => move(-1), ArrowUp: () => move(-1),
    Home: () => show(0), End: () => show(last()), p: play,
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, .scroll");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    if (playing && event.key !== "p") stop();
    keys[event.key]();
  });
  find("chart").addEventListener("click", (event) => {
    const target = event.target.closest("[data-step]");
    if (!target) return;
    stop();
    show(Number(target.dataset.step));
  });
  if (find("run")) find("run").addEventListener("change", () => {
    stop();
    choose(Number(find("run").value));
    show(last());
  });
  const press = (id, action) => find(id).addEventListener("click", () => { stop(); action(); });
  press("first", () => show(0));
  press("back", () => move(-1));
  press("forward", () => move(1));
  press("last", () => show(last()));
  find("play").addEventListener("click", play);
  find("actor").addEventListener("change", () => all.forEach(dim));
  narrow.addEventListener("change", () => show(current, { silent: true }));
  find("watch").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = find("expression").value.trim();
    if (text && watch(text)) {
      find("expression").value = "";
      show(current);
    }
  });
  new ResizeObserver(([controls]) => {
    document.documentElement.style.setProperty("--controls", `${controls.target.offsetHeight}px`);
  }).observe(document.querySelector(".controls"));
  addEventListener("beforeprint", () => {
    all.filter((part) => runOf(part) === number() && !part.closest(".slim")).forEach(fillPart);
    highlighted.forEach((element) => element.classList.remove("highlighted"));
  });
  addEventListener("afterprint", () => show(current));
  addEventListener("hashchange", read);
  read();
  const [inside, outside] = [observer(find("chart")), observer(null)];
  for (const part of all) (part.closest("#all") ? outside : inside).observe(part);
})();
