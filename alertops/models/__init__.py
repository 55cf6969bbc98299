"""The tables, and no behaviour. Importing this package makes `Base.metadata` complete."""

from alertops.models.api_key import ApiKey
from alertops.models.attempt import Attempt
from alertops.models.audit import AuditEntry
from alertops.models.broker_epoch import BrokerEpoch
from alertops.models.contact_methods import ContactMethods
from alertops.models.destination import Destination
from alertops.models.dispatch_failure import DispatchFailure
from alertops.models.event_total import EventsCounted, EventTotal
from alertops.models.execution import Execution, Step
from alertops.models.flow import Flow, FlowNode, FlowRevision
from alertops.models.gone_webhook import GoneWebhook
from alertops.models.grouped_alert import GroupedAlert
from alertops.models.heartbeat import Heartbeat
from alertops.models.integration import Change, Integration
from alertops.models.invitation import Invitation
from alertops.models.letter import Letter, MailToken
from alertops.models.login_session import LoginSession
from alertops.models.maintenance import MaintenanceWindow
from alertops.models.outsider import Outsider
from alertops.models.recovery_total import RecoveryTotal
from alertops.models.request_key import RequestKey
from alertops.models.subscription import EventDelivery, Subscription
from alertops.models.team import Membership, Team
from alertops.models.throttle import Throttle
from alertops.models.timeline import TimelineEntry
from alertops.models.timer import Timer
from alertops.models.user import User
from alertops.models.webhook_secret import WebhookSecret

__all__ = [
    "ApiKey",
    "Attempt",
    "AuditEntry",
    "BrokerEpoch",
    "Change",
    "ContactMethods",
    "Destination",
    "DispatchFailure",
    "EventDelivery",
    "EventTotal",
    "EventsCounted",
    "Execution",
    "Flow",
    "FlowNode",
    "FlowRevision",
    "GoneWebhook",
    "GroupedAlert",
    "Heartbeat",
    "Integration",
    "Invitation",
    "Letter",
    "LoginSession",
    "MailToken",
    "MaintenanceWindow",
    "Membership",
    "Outsider",
    "RecoveryTotal",
    "RequestKey",
    "Step",
    "Subscription",
    "Team",
    "Throttle",
    "TimelineEntry",
    "Timer",
    "User",
    "WebhookSecret",
]
