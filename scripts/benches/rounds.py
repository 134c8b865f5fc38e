"""Subjects take turns, round after round, so that a slow minute of a shared machine hits all of them alike."""
import json
import os
import re
import select
import subprocess
import sys

from . import ours, peers, products, series

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def note(text):
    print(text, file=sys.stderr, flush=True)


def affinity_of(threads):
    """As many of the last processors as there are threads."""
    cpus = sorted(os.sched_getaffinity(0))[-threads:]
    return lambda: os.sched_setaffinity(0, cpus)


def peer_environment(threads):
    env = dict(os.environ, PYTHONPATH=SCRIPTS, PYTHONWARNINGS="ignore", PYTHONDONTWRITEBYTECODE="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1",
               TRANSFORMERS_VERBOSITY="error")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        env.pop(name, None)
    return dict(env, **{name + "_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")})


class Peer:
    isa, note = "", ""

    def __init__(self, python, directory, work, name, dtype, threads, first=""):
        self.name, self.dtype, self.threads = name.removesuffix(" product"), dtype, threads
        spec = dict(peer=name, work=work, dtype=dtype, threads=threads, directory=directory, first=first)
        self.log = open(os.path.join(directory, "peers.log"), "a", encoding="utf-8")
        self.process = subprocess.Popen([python, "-m", "benches.worker", json.dumps(spec)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=dict(peer_environment(threads), PML_BENCH_CASE=first),
                                        preexec_fn=affinity_of(threads))
        self.ready = self.hear(240)
        self.version = self.ready.get("version", "")

    def hear(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            self.process.kill()
            return {"failed": f"no answer within {seconds} s"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"failed": f"ended with {self.process.wait()}"}

    def turn(self, case, seconds, least, most):
        try:
            self.process.stdin.write(json.dumps(dict(case=case, seconds=seconds, least=least, most=most)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return []
        answer = self.hear(120)
        if "failed" in answer:
            note(f"{self.name} {self.dtype} {case}: {answer['failed']}")
        return answer.get("values", [])

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.log.close()


def start_peers(args, work, subjects, threads):
    """Those that are here; the others are named."""
    found = []
    for name, dtype in subjects if args.python else []:
        if re.search(args.only_peers, f"{name} {dtype}"):
            peer = Peer(args.python, args.work, work, name, dtype, threads)
            if "failed" in peer.ready:
                note(f"missing: {peer.name} {dtype} for {work}: {peer.ready['failed']}")
                args.missing.append(f"{peer.name} {dtype} ({work}): {peer.ready['failed']}")
                peer.end()
            else:
                found.append(peer)
    return found


def variants(args, files, case, threads):
    model = ours.CASES[case][0]
    for dtype in ["f32"] if model == "patchtst42" or model in series.ARGUMENTS else ours.DTYPES:
        for isa in ours.ISAS:
            if args.isa and isa not in args.isa:
                continue
            if isa == "scalar" and (threads > 1 or case not in ours.SCALAR_CASES or dtype not in ("f32", "int8")):
                continue
            if isa == "avx512" and (threads > 1 or dtype in ("f32",)):
                continue  # the same as all that this CPU has
            yield ours.Subject(files, case, dtype, isa, threads)


def compare(args, table, files, work):
    """Every case of a work, for each number of threads."""
    for threads in args.threads:
        found = start_peers(args, work, peers.SUBJECTS[work], threads)
        for case in [c for c, (model, _) in ours.CASES.items() if model == work]:
            mine = list(variants(args, files, case, threads))
            times = {}
            for _ in range(args.rounds):
                for peer in found:
                    if case in peer.ready["cases"]:
                        least = 1 if case == "gpt2-generate" else 3
                        times.setdefault(peer, []).extend(peer.turn(case, args.turn, least, 1 if least == 1 else 40))
                for subject in mine:
                    if subject.isa == "scalar" and subject in times:
                        continue  # one turn is enough
                    times.setdefault(subject, []).extend(subject.turn(args.turn, affinity_of(threads)))
            for subject, values in times.items():
                is_peer = isinstance(subject, Peer)
                error = subject.ready["cases"].get(case) if is_peer else subject.relative_rms()
                text = f"{1e3 / min(values):.0f} tokens/s" if is_peer and values and case == "gpt2-generate" else subject.note
                table.add(case, threads, subject.name, subject.dtype, "ms", values, subject.isa, subject.version, error, text)
            for subject in [s for s in mine if s.read_gb_per_s and s.isa == ""]:
                size_gb = os.path.getsize(subject.path) / 1e9
                table.add(f"reading {subject.model}", threads, "pml", subject.dtype, "ms", [1e3 * size_gb / subject.read_gb_per_s],
                          note=f"the fastest loop over the file: {subject.read_gb_per_s:.1f} GB/s")
            note(f"{case}, {threads} thread(s): done")
        for peer in found:
            peer.end()


def compare_series(args, table, files, family):
    if os.path.exists(os.path.join(args.work, family, "checkpoint.pth")):
        compare(args, table, files, family)
    else:
        args.missing.append(f"{family}: its checkpoint is made with PyTorch")


def compare_products(args, table, files):
    """Kernels over the shapes of real models, one thread; ours is the least time of bench_gemm over the rounds."""
    import csv
    import io
    found = start_peers(args, "products", products.SUBJECTS, 1)
    shapes = products.QUICK_SHAPES if os.environ.get("PML_BENCH_QUICK") else products.SHAPES
    times, notes = {}, {}
    for _ in range(min(args.rounds, 3)):
        for m, n, k in shapes:
            case = products.name_of(m, n, k)
            for peer in found:
                values = peer.turn(case, 0.02, 3, 200)
                times.setdefault((case, peer), []).extend(values)
            text = subprocess.run([files.tool("bench_gemm"), "-m", str(m), "-n", str(n), "-k", str(k), "-s", "10"], check=True,
                                  capture_output=True, text=True, preexec_fn=affinity_of(1)).stdout
            for row in csv.DictReader(io.StringIO(text)):
                key = (case, (row["op"], row["isa"]))
                times.setdefault(key, []).append(float(row["us"]) / 1e3)
                best = max(float(row["fraction"] or 0), notes.get(key, (0, 0))[0])
                notes[key] = (best, max(float(row["read_fraction"]), notes.get(key, (0, 0))[1]))
    names = {"matmul_panel_f32": "f32", "matmul_panel_bf16": "bf16", "matmul_panel_i8": "int8", "matmul_panel_i8g64": "int8-g64",
             "matmul_panel_i8g32": "int8-g32"}
    for (case, subject), values in times.items():
        m, n, k = map(int, case.split("x"))
        rate = f"{2e-6 * m * n * k / min(values):.0f} GOP/s" if values else ""
        if isinstance(subject, Peer):
            table.add("product " + case, 1, subject.name, subject.dtype, "ms", values, version=subject.version,
                      relative_rms=subject.ready["cases"].get(case), note=rate)
        else:
            peak, read = notes[case, subject]
            table.add("product " + case, 1, "pml", names[subject[0]], "ms", values, isa=subject[1],
                      note=f"{rate}; {100 * peak:.0f} % of the peak, {100 * read:.0f} % of reading")
    for peer in found:
        peer.end()
