pytest_plugins = [f"trt_conformance.runner.{name}" for name in ("options", "parametrize", "fixtures", "plugin")]
