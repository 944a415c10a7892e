pytest_plugins = ["trt_conformance.runner.plugin"]
