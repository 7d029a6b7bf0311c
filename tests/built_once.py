"""What FastAPI works out of an application's routes with their first request, once for all tests of a process."""

_ROUTES = {}


def with_routes_of_the_first(app):
    """The application, whose routes are those of the first one that was made as it; state and lifespan are its own."""
    app.router.routes[:] = _ROUTES.setdefault(app.title, list(app.router.routes))
    return app
