"""Authentication: principals by bearer token or client certificate."""

from headrace.server.auth.interceptor import AuthInterceptor
from headrace.server.auth.principals import Principals

__all__ = ["AuthInterceptor", "Principals"]
