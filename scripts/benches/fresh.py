"""Fresh processes, page cache warm: from the start to the first result, and conversion to INT8. Ours counts whole, from exec to exit; of the
peers only loading and the first run count, without starting Python and importing."""
import os
import shutil
import subprocess
import sys
import time

from . import ours, rounds

MODELS = ("minilm", "gpt2")
FIRSTS = {  # case of the peers -> model, our command, a text of as many tokens, what the work is called
    "minilm-1x16": ("minilm", "embed", "the " * 14, "minilm, 16 tokens"),
    "minilm-1x128": ("minilm", "embed", "the " * 126, "minilm, 128 tokens"),
    "gpt2-prompt": ("gpt2", "generate", "a" * 128, "gpt2, 128 tokens"),
}
PREPACKED, OTHERS = [("ONNX Runtime", "f32-prepacked"), ("ONNX Runtime", "int8-prepacked")], [
    ("ONNX Runtime", "int8"), ("CTranslate2", "int8"), ("llama.cpp", "f32"), ("llama.cpp", "int8"), ("OpenVINO", "int8")]
LOADS = [(case, *peer) for case, (model, *_) in FIRSTS.items() for peer in PREPACKED + (OTHERS if case != "minilm-1x16" else [])
         if (model, peer[0]) != ("gpt2", "OpenVINO")]
FILES = {("ONNX Runtime", "f32-prepacked"): "{}-prepacked.onnx", ("ONNX Runtime", "int8-prepacked"): "{}-int8-prepacked.onnx",
         ("ONNX Runtime", "int8"): "{}-int8.onnx", ("CTranslate2", "int8"): "{}-int8-ct2/model.bin", ("llama.cpp", "f32"): "{}.gguf",
         ("llama.cpp", "int8"): "{}-q8_0.gguf", ("OpenVINO", "int8"): "{}-int8.bin"}


def spend(command, env=None, affinity=None):
    """Wall ms, CPU seconds and greatest memory in MB of one process."""
    start = time.perf_counter()
    with open(os.devnull, "w") as null:
        process = subprocess.Popen(command, stdout=null, stderr=subprocess.PIPE, env=env, preexec_fn=affinity)
        _, status, usage = os.wait4(process.pid, 0)
    elapsed_ms = (time.perf_counter() - start) * 1e3
    process.returncode = os.waitstatus_to_exitcode(status)
    message = process.stderr.read().decode(errors="replace")
    process.stderr.close()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])}: {message[-300:]}")
    return elapsed_ms, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def file_mb(path):
    return sum(os.path.getsize(p) for p in (path, path + ".data") if os.path.exists(p)) / 1e6


def first_results(args, table, files):
    times, memory, versions = {}, {}, {}
    for i_round in range(max(3, args.rounds)):
        for case, (model, command, text, _) in FIRSTS.items():
            for dtype in ("f32", "int8", "int8-g64"):
                line = [files.tool("pml-run"), command, files.path(model, dtype), text] + (["-n", "1", "-q"] if model == "gpt2" else [])
                env = dict(ours.environment(""), PML_THREADS="1")
                for _ in range(3):
                    elapsed_ms, _, peak_mb = spend(line, env, rounds.affinity_of(1))
                    times.setdefault((case, "pml", dtype), []).append(elapsed_ms)
                    memory[case, "pml", dtype] = peak_mb
        for key in LOADS if args.python else []:
            case, name, dtype = key
            if versions.get(key, "") is None or (i_round >= 3 and (name, dtype) not in PREPACKED):
                continue
            peer = rounds.Peer(args.python, args.work, FIRSTS[case][0], name, dtype, 1, first=case)
            peer.end()
            versions[key] = None if "failed" in peer.ready else peer.version
            if versions[key] is None:
                rounds.note(f"missing: {name} {dtype} for the first result of {case}: {peer.ready['failed']}")
                continue
            times.setdefault(key, []).append(peer.ready["first_ms"])
            memory[key] = peer.ready["peak_mb"]
    for (case, name, dtype), values in times.items():
        model = FIRSTS[case][0]
        path = files.path(model, dtype) if name == "pml" else os.path.join(args.work, FILES[name, dtype].format(model))
        note = ("prepacked; " if "prepacked" in dtype else "") + f"file {file_mb(path):.1f} MB, peak {memory[case, name, dtype]:.0f} MB"
        table.add("first result, " + FIRSTS[case][3], 1, name, dtype.replace("-prepacked", ""), "ms", values,
                  version=versions.get((case, name, dtype), ""), note=note)
    for model in MODELS:
        for dtype in ours.DTYPES:
            table.add(f"file size, {model}", 1, "pml", dtype, "MB", [file_mb(files.path(model, dtype))])
        for (name, dtype), pattern in FILES.items():
            path = os.path.join(args.work, pattern.format(model))
            if os.path.exists(path):
                table.add(f"file size, {model}", 1, name, dtype.replace("-prepacked", ""), "MB", [file_mb(path)],
                          note="prepacked" if "prepacked" in dtype else "")


PEER_CONVERSIONS = [("llama.cpp", "quantize its own F32 file"), ("CTranslate2", "convert"), ("ONNX Runtime", "quantize its own F32 file")]


def convert_as_peer(name, model, work):
    """The body of a fresh process: prints CPU seconds of the conversion alone, without imports."""
    source, target = os.path.join(work, model), os.path.join(work, "converted")
    from . import peer_files
    if name == "llama.cpp":
        import llama_cpp  # noqa: F401
        from . import gguf_files
        run = lambda: gguf_files.quantize(source + ".gguf", target, 1)  # noqa: E731
    elif name == "CTranslate2":
        import ctranslate2.converters  # noqa: F401
        import transformers  # noqa: F401
        run = lambda: peer_files.ct2_convert(source, target, "int8")  # noqa: E731
    else:
        import onnxruntime.quantization  # noqa: F401
        run = lambda: peer_files.ort_quantize(source + ".onnx", target)  # noqa: E731
    start = time.process_time()
    run()
    print("cpu_s", time.process_time() - start)


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def conversions(args, table, files):
    target = os.path.join(args.work, "converted")
    found, memory = {}, {}
    for _ in range(min(2, args.rounds)):
        for model in MODELS:
            for dtype in ("int8", "int8-g64"):
                command = [files.tool("pml-convert"), os.path.join(args.work, model), "-o", target, "--dtype", dtype, "--force", "-q"]
                _, cpu_s, peak_mb = spend(command, affinity=rounds.affinity_of(1))
                found.setdefault((model, "pml", dtype), []).append(cpu_s)
                memory[model, "pml", dtype] = max(peak_mb, memory.get((model, "pml", dtype), 0))
            for name, _ in PEER_CONVERSIONS if args.python else []:
                code = f"from benches import fresh; fresh.convert_as_peer({name!r}, {model!r}, {args.work!r})"
                process = subprocess.Popen([args.python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                           env=rounds.peer_environment(1), preexec_fn=rounds.affinity_of(1))
                text = process.stdout.read()
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                remove(target)
                if process.returncode == 0:
                    found.setdefault((model, name, "int8"), []).append(float(text.split()[-1]))
                    memory[model, name, "int8"] = usage.ru_maxrss / 1024
                else:
                    rounds.note(f"missing: {name} cannot convert {model} here")
    remove(target)
    notes = dict(PEER_CONVERSIONS)
    for (model, name, dtype), values in found.items():
        note = f"{notes[name]}; " if name in notes else "from safetensors; "
        table.add(f"conversion, {model}", 1, name, dtype, "CPU s", values, note=f"{note}peak {memory[model, name, dtype]:.0f} MB")
    for model in MODELS:
        table.add(f"conversion memory, {model}", 1, "pml", "int8", "private MB", [private_mb(files, args, model, target)])
        remove(target)


def private_mb(files, args, model, target):
    """The greatest anonymous memory of a conversion: what it needs beside files in the page cache."""
    command = [files.tool("pml-convert"), os.path.join(args.work, model), "-o", target, "--dtype", "int8", "--force", "-q"]
    process, peak = subprocess.Popen(command, stdout=subprocess.DEVNULL), 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
                peak = max([peak] + [int(line.split()[1]) / 1024 for line in f if line.startswith("RssAnon:")])
        except OSError:
            break
        time.sleep(0.002)
    if process.wait() != 0:
        sys.exit(f"bench: {' '.join(command)} failed")
    return peak
