#!/usr/bin/env python3
"""Works out what the captures hold, without the parser: one regular expression per record."""

import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent
UNLIMITED = 9007199254740988


def records(path):
    last = None
    for line in path.read_bytes().decode("ascii").splitlines():
        head, text = line.split(";", 1)
        priority, sequence, usec, flag = head.split(",")[:4]
        if int(priority) >= 8:
            continue
        if flag == "c":
            if text:
                last[2] += text
                last[3] = int(sequence)
            continue
        record = [int(sequence), int(usec), text, int(sequence)]
        if text.startswith("oom-kill:"):
            last = record
        yield record


def kib(text):
    return int(text) * 1024


BARE = "only the kill is in the log: the kernel prints at most ten reports in five seconds for the whole machine"
NO_TABLE = "no task table: vm.oom_dump_tasks is 0, or its lines are not in the log"

KILL = re.compile(
    r"Memory cgroup out of memory: Killed process (\d+) \((.*)\) total-vm:(\d+)kB, anon-rss:(\d+)kB, "
    r"file-rss:(\d+)kB, shmem-rss:(\d+)kB, UID:(\d+) pgtables:(\d+)kB oom_score_adj:(-?\d+)"
)


def kill(match):
    pid, comm, total, anon, file, shmem, uid, tables, adj = match.groups()
    return {
        "pid": int(pid),
        "comm": comm,
        "uid": int(uid),
        "total_vm_bytes": kib(total),
        "anon_rss_bytes": kib(anon),
        "file_rss_bytes": kib(file),
        "shmem_rss_bytes": kib(shmem),
        "pgtables_bytes": kib(tables),
        "oom_score_adj": int(adj),
    }


def empty(record):
    return {
        "schema": "memoom.report/1",
        "release": None,
        "scope": "memcg",
        "time_usec": record[1],
        "logged_at": None,
        "first_sequence": record[0],
        "last_sequence": record[3],
        "invoker": None,
        "cpu": None,
        "constraint": None,
        "nodemask": None,
        "cpuset": None,
        "mems_allowed": None,
        "oom_memcg": None,
        "task_memcg": None,
        "chosen": None,
        "memory": None,
        "swap": None,
        "memory_swap": None,
        "kmem": None,
        "stat": {},
        "stats": [],
        "stat_truncated": False,
        "protection": None,
        "tasks": [],
        "page_bytes": None,
        "sacrifice": None,
        "kills": [],
        "shared_memory": [],
        "pinned": [],
        "already_exiting": [],
        "group_kill": None,
        "no_killable": False,
        "call_trace": [],
        "reaper": [],
        "suppressed_before": None,
        "missing": [],
        "text": [],
    }


def expected(path):
    reports, suppressed, columns = [], None, None
    # All of them first: a line that continues a record is added to it after the record was given.
    for record in list(records(path)):
        text = record[2]
        report = reports[-1] if reports else None
        known = True
        is_stat = re.fullmatch(r"[a-z_]+ \d+(\\x0a[a-z_]+ \d+)*", text) is not None
        if match := re.fullmatch(r"oom_kill_process: (\d+) callbacks suppressed", text):
            suppressed = int(match[1])
            continue
        if match := re.fullmatch(
            r"(.*) invoked oom-killer: gfp_mask=(0x\w+)\((.*)\), order=(\d+), oom_score_adj=(-?\d+)", text
        ):
            report = empty(record)
            reports.append(report)
            report["suppressed_before"], suppressed = suppressed, None
            report["invoker"] = {
                "comm": match[1],
                "pid": None,
                "gfp_mask": match[2],
                "gfp_flags": match[3],
                "order": int(match[4]),
                "oom_score_adj": int(match[5]),
            }
        elif report is None:
            continue
        elif match := re.match(r"CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: .* Not tainted (\S+) #1", text):
            report["cpu"], report["release"] = int(match[1]), match[3]
            report["invoker"]["pid"] = int(match[2])
        elif match := re.fullmatch(r" (\? )?([\w.]+)\+0x(\w+)/0x(\w+)", text):
            report["call_trace"].append(
                {
                    "function": match[2],
                    "offset": int(match[3], 16),
                    "size": int(match[4], 16),
                    "module": None,
                    "uncertain": match[1] is not None,
                }
            )
        elif match := re.fullmatch(
            r"(memory|swap|memory\+swap|kmem): usage (\d+)kB, limit (\d+)kB, failcnt (\d+)", text
        ):
            limit = int(match[3])
            report[match[1].replace("+", "_")] = {
                "usage_bytes": kib(match[2]),
                "limit_bytes": None if limit >= UNLIMITED else limit * 1024,
                "failcnt": int(match[4]),
            }
        elif is_stat:
            for pair in text.split("\\x0a"):
                key, value = pair.split(" ")
                report["stat"][key] = int(value)
        elif match := re.fullmatch(r"Memory cgroup min protection (\d+)kB -- low protection (\d+)kB", text):
            report["protection"] = {"min_bytes": kib(match[1]), "low_bytes": kib(match[2])}
        elif text.startswith("[  pid  ]"):
            columns = text.split()[3:-1]
        elif match := re.fullmatch(rf"\[ *(\d+)\]((?: +-?\d+){{{len(columns or [])}}}) (.*)", text):
            row = dict(zip(columns, map(int, match[2].split()), strict=True))
            task = {"pid": int(match[1]), "tgid": row["tgid"], "uid": row["uid"], "comm": match[3]}
            for name in ("total_vm", "rss", "rss_anon", "rss_file", "rss_shmem"):
                task[name + "_pages"] = row.get(name)
            task["pgtables_bytes"] = row["pgtables_bytes"]
            task.update(nr_ptes=None, nr_pmds=None, nr_puds=None)
            task["swapents_pages"], task["oom_score_adj"] = row["swapents"], row["oom_score_adj"]
            report["tasks"].append(task)
        elif match := re.fullmatch(
            r"oom-kill:constraint=(\w+),nodemask=(.*),cpuset=(.*),mems_allowed=(.*),oom_memcg=(.*)"
            r",task_memcg=(.*?),task=(.*),pid=(\d+),uid=(\d+)",
            text,
        ):
            names = ("constraint", "nodemask", "cpuset", "mems_allowed", "oom_memcg", "task_memcg")
            report.update(zip(names, match.groups(), strict=False))
            report["chosen"] = {"comm": match[7], "pid": int(match[8]), "uid": int(match[9])}
        elif match := KILL.fullmatch(text):
            victim = kill(match)
            if report["kills"] and report["group_kill"] is None:
                report = empty(record)
                report["missing"] = [{"source": "report", "reason": BARE}]
                reports.append(report)
            if victim["pid"] not in [other["pid"] for other in report["kills"]]:
                report["kills"].append(victim)
        elif match := re.fullmatch(r"Tasks in (.*) are going to be killed due to memory.oom.group set", text):
            report["group_kill"] = match[1]
        else:
            known = text.startswith(("Call Trace:", "Call trace:", "Memory cgroup stats for ", "Tasks state"))
        if known:
            report["last_sequence"] = record[3]
        # The dump of the stack is kept whole; of what comes behind it only the report's own lines.
        dumping = not any(line.startswith(("memory: ", "Tasks state", "oom-kill:")) for line in report["text"])
        if (known or dumping) and text.strip():
            report["text"] += [line for line in text.rstrip().split("\\x0a") if line] if is_stat else [text.rstrip()]
    for report in reports:
        report["text"] = "\n".join(report["text"])
        sizes = {task["pid"]: task["total_vm_pages"] for task in report["tasks"]}
        if any(kill["pid"] in sizes for kill in report["kills"]):
            # The others are of x86-64.
            report["page_bytes"] = 16384 if (report["release"] or "").endswith("-arm64-16k") else 4096
        if not report["tasks"] and report["invoker"]:
            report["missing"] = [{"source": "tasks", "reason": NO_TABLE}]
    return {"schema": "memoom.reports/1", "reports": reports}


def main():
    for path in sorted(HERE.glob("*.kmsg")):
        text = json.dumps(expected(path), indent=1)
        path.with_suffix(".expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
