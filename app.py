"""The Space's entry: build the demo, launch it."""

from shakespeare_gpt.ui.demo import LAUNCH, build_demo

if __name__ == "__main__":
    build_demo().launch(**LAUNCH)
