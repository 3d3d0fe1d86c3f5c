"""What every dotted name means and its unit: the labels of the panel, the header of a recording."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """`unit` as charts print it (empty for a plain number) and `meaning` as one phrase."""

    unit: str
    meaning: str


_TABLE = {
    "host.cpu_percent": ("%", "busy time of the cores that this process may use"),
    "host.steal_percent": ("%", "time of those cores that the hypervisor gave to other machines"),
    "host.cores": ("cores", "cores that this process may use: affinity, within the CPU quota"),
    "host.throttled_share": ("", "share of quota periods in which the group ran out of CPU"),
    "host.cpu_freq_hz": ("Hz", "CPU clock as the system reports it, renewed every second"),
    "host.mem_available_bytes": ("B", "memory that can still be allocated, within any limit"),
    "proc.cpu_cores": ("cores", "cores' worth of CPU time that this process spends"),
    "proc.rss_bytes": ("B", "memory of this process that is resident"),
    "proc.minor_faults_per_s": (
        "1/s",
        "fresh pages handed to this process (4 KiB each, up to 2 MiB where huge pages are on)",
    ),
    "proc.voluntary_switches_per_s": ("1/s", "times this process waited and gave its core up"),
    "proc.involuntary_switches_per_s": ("1/s", "times this process was moved off its core"),
    "work.flops_per_s": ("FLOP/s", "counted arithmetic over measured time"),
    "work.bytes_per_s": ("B/s", "bytes that the algorithm must move, over measured time"),
    "work.fresh_bytes_per_s": ("B/s", "newly allocated bytes first touched, over measured time"),
    "work.tokens_per_s": ("tok/s", "tokens finished, over measured time"),
    "work.busy_share": ("", "time inside at least one operation ÷ wall time"),
    "engine.tokens_per_s": ("tok/s", "output tokens of the engine, over the last half second"),
    "engine.batch": ("", "sequences in a step, on average over the last half second"),
    "engine.waiting": ("", "requests in the queue"),
    "engine.running": ("", "requests that hold KV"),
    "engine.kv_reserved_share": ("", "share of the KV pool that is set aside for some request"),
    "engine.kv_used_share": ("", "share of the KV pool that holds a token"),
    "engine.forward_share": ("", "share of the time inside the model's forward pass"),
    "engine.flops_per_s": ("FLOP/s", "counted arithmetic of the model over measured time"),
    "engine.bytes_per_s": ("B/s", "bytes that the model must move, over measured time"),
    "server.running": ("", "requests that run, as the server's /metrics says"),
    "server.waiting": ("", "requests that wait to run"),
    "server.waiting_for_room": ("", "of them, those for which there was no room"),
    "server.handed_over": ("", "requests between prefill and decode, or before a grammar is made"),
    "server.requests_open": ("", "requests that the front end has not ended"),
    "server.slots": ("", "requests that can run at a time"),
    "server.kv_used_share": ("", "share of the KV pool that is taken"),
    "server.preemptions_per_s": ("1/s", "requests that lost their KV, between the last scrapes"),
    "server.prompt_tokens_per_s": ("tok/s", "prompt tokens taken in, between the last scrapes"),
    "server.tokens_per_s": ("tok/s", "output tokens made, between the last scrapes"),
    "server.requests_per_s": ("1/s", "requests that ended well, between the last scrapes"),
    "server.rejected_per_s": ("1/s", "turned away by a full queue, between the last scrapes"),
    "server.prefix_hit_share": ("", "share of the prompt tokens found in the prefix cache"),
    "server.ttft_s": ("s", "arrival to first token, mean of those since the last scrape"),
    "server.itl_s": ("s", "between two tokens where the server counts, mean since the last scrape"),
    "server.e2e_s": ("s", "arrival to last token, mean of those since the last scrape"),
    "server.queue_s": ("s", "arrival to admission, mean of those since the last scrape"),
    "server.prefill_s": ("s", "admission to first token, mean of those since the last scrape"),
    "server.decode_s": ("s", "first to last token, mean of those since the last scrape"),
    "server.inference_s": ("s", "admission to last token, mean of those since the last scrape"),
    "server.step_tokens": ("tok", "tokens computed in a step, mean since the last scrape"),
    "server.device_flops_per_s": ("FLOP/s", "of a GPU, as the server estimates them"),
    "server.device_read_bytes_per_s": ("B/s", "read from a GPU's memory, as the server estimates"),
    "server.device_busy_share": ("", "time in which the GPU executed, as the server says"),
    "server.api_cores": ("cores", "CPU time of the process that answers /metrics"),
    "server.host_schedule_cores": ("cores", "host time: choosing what runs next"),
    "server.host_forward_cores": ("cores", "host time: the model's forward pass"),
    "server.host_draw_cores": ("cores", "host time: drawing tokens"),
    "server.host_detokenise_cores": ("cores", "host time: turning tokens into text"),
    "server.host_emit_cores": ("cores", "host time: handing tokens to the front end"),
    "server.host_receive_cores": ("cores", "host time: taking tokens from the engine"),
    "server.host_frame_cores": ("cores", "host time: putting text into events"),
    "server.host_write_cores": ("cores", "host time: writing events to sockets"),
    "server.front_end_cores": ("cores", "CPU time of the server's front end, between scrapes"),
    "server.engine_cores": ("cores", "CPU time of the engine's process, between scrapes"),
    "server.events_per_s": ("1/s", "events sent to all readers, between the last scrapes"),
    "server.sent_tokens_per_s": ("tok/s", "tokens in those events"),
    "server.bytes_per_s": ("B/s", "bytes of those events on the wire, framing included"),
    "server.writes_per_s": ("1/s", "writes to sockets that took them"),
    "server.bytes_per_token": ("B", "bytes on the wire for each token sent, between scrapes"),
    "server.writes_per_token": ("", "writes for each token sent, between the last scrapes"),
    "server.tokens_per_event": ("tok", "tokens in an event, between the last scrapes"),
    "server.send_queue_events": ("", "events that wait for their readers, all streams together"),
    "server.send_queue_bytes": ("B", "bytes that wait for their readers, all streams together"),
    "server.send_queue_bytes_max": ("B", "bytes that wait in the deepest stream"),
    "server.streams_open": ("", "streams under way"),
    "server.streams_coalescing": ("", "streams whose reader is slow: several tokens an event"),
    "server.streams_paused": ("", "streams whose reader is so slow that the request is paused"),
    "server.streams_cut_per_s": ("1/s", "streams ended for a slow reader, between scrapes"),
    "link.full_share": ("", "bytes on the link as a share of what it can carry, last second"),
    "client.cores": ("cores", "CPU time of the load clients, between the last looks"),
    "server.scrape_s": ("s", "how long the server took to answer the last scrape"),
    "server.scrape_age_s": ("s", "how long ago the newest scrape was"),
    "look.span_s": ("s", "between the last two scrapes that came through: rates are over it"),
    "probe.ttft_s": ("s", "a probe's send to its first token, mean of those that ended"),
    "probe.ttft_max_s": ("s", "the longest of them; of one that still waits, so far"),
    "probe.itl_s": ("s", "between two tokens at the probe's side, mean of those that ended"),
    "probe.gaps": ("", "gaps between tokens that this mean is of"),
    "probe.bunched_share": ("", "tokens that came together with the one before, of all but firsts"),
    "probe.tokens": ("tok", "tokens of the probes that ended"),
    "probe.ended": ("", "probes that ended well"),
    "probe.failed": ("", "probes that did not"),
    "probe.open": ("", "probes under way"),
    "probe.delay_s": ("s", "how late the probe sent, the worst: its own lateness"),
    "probe.lag_s": ("s", "how late the probe's own loop ran, the worst lately"),
    "torch.cuda_allocated_bytes": ("B", "GPU memory in live tensors"),
    "torch.cuda_reserved_bytes": ("B", "GPU memory that torch's allocator holds"),
    "torch.cuda_peak_bytes": ("B", "most GPU memory that was ever in live tensors"),
    "gpu.kernel_resident": (
        "%",
        "kernel resident: time in which some kernel was on the GPU, however little of it it used",
    ),
    "gpu.memory_used_bytes": ("B", "GPU memory in use, by every process"),
    "gpu.memory_total_bytes": ("B", "GPU memory there is"),
    "gpu.power_w": ("W", "power drawn"),
    "gpu.power_limit_w": ("W", "power limit in force"),
    "gpu.sm_clock_hz": ("Hz", "clock of the SMs"),
    "gpu.memory_clock_hz": ("Hz", "clock of the GPU's memory"),
    "gpu.throttle_reasons": ("", "what holds the clocks back: bits, see nvml.throttle_reasons"),
    "gpu.temperature_c": ("°C", "GPU temperature"),
    "gpu.sm_active": (
        "%",
        "SMs with work, averaged over the SMs (GPM, Hopper or newer, over 0.15 s)",
    ),
    "gpu.sm_occupancy": ("%", "warps active ÷ warps that fit (GPM, Hopper or newer, over 0.15 s)"),
    "gpu.tensor_active": ("%", "time the tensor cores worked (GPM, Hopper or newer, over 0.15 s)"),
    "gpu.dram_active": (
        "%",
        "DRAM bandwidth used ÷ its theoretical peak (GPM, Hopper or newer, over 0.15 s)",
    ),
    "sampler.late_s": ("s", "how long after its due moment this sample was taken"),
    "sampler.missed": ("", "samples skipped so far because the one before took too long"),
    "sampler.cpu_s": ("s", "CPU time that taking the sample before this one cost"),
}

NAMES: dict[str, Quantity] = {name: Quantity(*row) for name, row in _TABLE.items()}
"""Every name that the sources of this package report.

The first GPU is `gpu`, the second `gpu1`, the third `gpu2`: `gpu1.power_w` means what
`gpu.power_w` does.
"""


def quantity(name: str) -> Quantity:
    """The entry for a name; a name nobody documented has no unit and itself as meaning."""
    numbered = re.fullmatch(r"gpu(\d+)(\..+)", name)
    if numbered and f"gpu{numbered[2]}" in NAMES:
        plain = NAMES[f"gpu{numbered[2]}"]
        return Quantity(plain.unit, f"GPU {numbered[1]}: {plain.meaning}")
    base, _, bound = name.partition(".le.")
    if bound and base in NAMES:
        return Quantity("", f"{NAMES[base].meaning}: those up to {bound}, above the bound before")
    base, _, part = name.partition("@")
    if part and base in NAMES:
        return Quantity(NAMES[base].unit, f"{NAMES[base].meaning}, of {part}")
    return NAMES.get(name, Quantity("", name))


def under(prefix: str) -> tuple[str, ...]:
    """The documented names that start with `prefix` and a dot."""
    return tuple(name for name in NAMES if name.startswith(f"{prefix}."))
