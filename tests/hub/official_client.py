"""The official client of the hub, driven by a test: official_client.py ACTION ARGUMENT…; HF_* variables say where and how.

Prints one line per result. An exception of the client is a result, too: its class's name.
"""
import sys

import huggingface_hub as hub


def snapshot(repo, revision="main", offline=""):
    return [hub.snapshot_download(repo, revision=revision, local_files_only=bool(offline))]


def file(repo, path, revision="main"):
    return [hub.hf_hub_download(repo, path, revision=revision)]


def models(author, limit="1000"):
    return [m.id for m in hub.HfApi().list_models(author=author, limit=int(limit))]


def tree(repo):
    return [f"{f.path} {f.size}" for f in hub.HfApi().list_repo_tree(repo, recursive=True) if isinstance(f, hub.hf_api.RepoFile)]


def info(repo, revision="main"):
    return [hub.HfApi().model_info(repo, revision=revision, files_metadata=True).sha]


def scan():
    """Repositories of the cache and their files; what the client finds wrong with it comes first."""
    cache = hub.scan_cache_dir()
    lines = [f"warning {w}" for w in cache.warnings]
    for repo in sorted(cache.repos, key=lambda r: r.repo_id):
        lines += [f"{repo.repo_id} {r.commit_hash} {','.join(sorted(r.refs))} {len(r.files)}" for r in repo.revisions]
    return lines


def verify(repo):
    """As `hf cache verify`: the hashes of all files of the cached main against the hub's."""
    result = hub.HfApi().verify_repo_checksums(repo)
    return [f"checked {result.checked_count} wrong {len(result.mismatches)} missing {len(result.missing_paths)}"]


ACTIONS = {f.__name__: f for f in (snapshot, file, models, tree, info, scan, verify)}

if __name__ == "__main__":
    try:
        for line in ACTIONS[sys.argv[1]](*sys.argv[2:]):
            print(line)
    except Exception as problem:
        print(type(problem).__name__)
        print(problem, file=sys.stderr)
