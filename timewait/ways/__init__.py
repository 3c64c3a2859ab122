"""The ways around TIME-WAIT: what each gains, and which properties of the close it keeps."""
