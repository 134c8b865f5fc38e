"""One peer in a process of its own: loads, says what it can do and how exact it is, then works when told to.

    python -m benches.worker '{"peer": .., "work": .., "dtype": .., "threads": .., "directory": .., "first": ""}'

Answers are JSON lines on stdout; what libraries print goes to stderr. Then each line of stdin {"case": .., "seconds": .., "least": ..,
"most": ..} is one turn: a run that does not count, then runs whose milliseconds are the answer. With "first", that case is run once
right after loading, and the answer tells how long both took (imports apart) and what memory they needed.
"""
import importlib
import json
import os
import sys
import time
import warnings


def memory_mb(field):
    with open("/proc/self/status", encoding="ascii") as f:
        return next((int(line.split()[1]) / 1024 for line in f if line.startswith(field + ":")), 0.0)


def once_ms(run):
    start = time.perf_counter()
    own = run()
    return own if own is not None else (time.perf_counter() - start) * 1e3


def take_turn(run, order):
    run()
    values, end = [], time.perf_counter() + order["seconds"]
    while len(values) < order["least"] or (len(values) < order["most"] and time.perf_counter() < end):
        values.append(once_ms(run))
    return values


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    say = lambda **fields: answers.write(json.dumps(fields) + "\n")  # noqa: E731
    spec = json.loads(sys.argv[1])
    warnings.filterwarnings("ignore")
    try:
        import numpy as np
        from . import inputs, ours, peers, products
        peer = {**peers.PEERS, **products.PEERS}[spec["peer"]]
        module = importlib.import_module(peer.package)
        version = getattr(module, "__version__", "")
        base_mb, start = memory_mb("VmRSS"), time.perf_counter()
        cases = peer.cases(spec["work"], spec["dtype"], spec["threads"], spec["directory"])
        if spec["first"]:
            cases[spec["first"]][0]()
            say(version=version, first_ms=(time.perf_counter() - start) * 1e3, base_mb=base_mb, peak_mb=memory_mb("VmHWM"))
            return
        errors = {}
        for name, (_, give) in cases.items():
            reference = ours.reference_of(spec["directory"], name)
            if give is not None and os.path.exists(reference):
                errors[name] = inputs.relative_rms(give(), np.load(reference))
            else:
                errors[name] = give() if give is not None and spec["work"] == "products" else None
        say(version=version, cases=errors)
        for line in sys.stdin:
            order = json.loads(line)
            say(values=take_turn(cases[order["case"]][0], order))
    except Exception as error:  # the parent names it and goes on without this peer
        say(failed=f"{type(error).__name__}: {str(error)[:300]}")


if __name__ == "__main__":
    main()
