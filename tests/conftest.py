"""Of every test: the slow ones begin first, so that no worker ends long after the others."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
