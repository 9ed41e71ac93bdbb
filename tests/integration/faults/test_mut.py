import watcher.engine.queue as q; q._is_version = lambda one: True
from tests.integration.faults.test_stateful import Cluster
from tests.integration.faults import test_stateful
from hypothesis import settings, Phase
T = Cluster.TestCase
T.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, database=None, phases=(Phase.generate,))
del Cluster
