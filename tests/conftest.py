import asyncio

pytest_plugins = ["tests.support.postgres"]


def pytest_configure() -> None:
    """Say that there is no event loop yet.

    looptime asks for one before every test, also before those that are not async, and unless it was told so asyncio
    then makes one (looptime/_internal/plugin.py, pytest_pyfunc_call), which nobody closes: a ResourceWarning later,
    in whichever test the garbage is collected.
    """
    asyncio.set_event_loop(None)
