"""For all tests: hypothesis does not judge the speed of a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("karush", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("karush")
