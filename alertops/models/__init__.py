"""The tables, and no behaviour. Importing this package makes `Base.metadata` complete."""

from alertops.models.attempt import Attempt
from alertops.models.broker_epoch import BrokerEpoch
from alertops.models.execution import Execution, Step
from alertops.models.flow import Flow, FlowNode, FlowRevision
from alertops.models.login_session import LoginSession
from alertops.models.recovery_total import RecoveryTotal
from alertops.models.team import Membership, Team
from alertops.models.throttle import Throttle
from alertops.models.timeline import TimelineEntry
from alertops.models.user import User

__all__ = [
    "Attempt",
    "BrokerEpoch",
    "Execution",
    "Flow",
    "FlowNode",
    "FlowRevision",
    "LoginSession",
    "Membership",
    "RecoveryTotal",
    "Step",
    "Team",
    "Throttle",
    "TimelineEntry",
    "User",
]
