"""Scripts that run in other programs' environments are no modules of this one."""

collect_ignore_glob = ["peers/*", "ours/*"]
