"""What `run` tells: where everything is, and a first alert to try, with an account made for it."""

from pathlib import Path

from sqlalchemy import create_engine

from alertops.schema import migrate
from deploy.local.client import Client
from deploy.local.fleet import Fleet
from deploy.local.identity import Identity
from deploy.local.stack import Addresses

EMAIL = "demo@alertops.test"
NODES = [
    {"name": name, "recipient": {"type": "email", "email": email}, "delay_seconds": delay}
    for name, email, delay in (
        ("On call", "on-call@alertops.test", 0),
        ("Second line", "second-line@alertops.test", 30),
        ("Team lead", "lead@alertops.test", 60),
    )
]
# The token is printed to be used for a while, on a machine that nobody else can reach.
EXTRA = {"ALERTOPS_ACCESS_TOKEN_SECONDS": str(24 * 3600)}


def running_fleet(root: Path, addresses: Addresses) -> Fleet:
    """Migrate the database, and start what is not running; returns when all of it is ready."""
    engine = create_engine(addresses.database_url)
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    fleet = Fleet(root, addresses, extra=EXTRA, webhooks=True)
    fleet.start()
    fleet.wait_ready()
    return fleet


def welcome(fleet: Fleet) -> str:
    """Where everything is, and how to raise a first alert."""
    client = Client(fleet.api_url)
    password = _password(fleet.root)
    client.sign_in("Demo", EMAIL, password)
    team = _team(client)
    flow = _flow(client, team)
    watcher, flower_password = fleet.flower_credentials
    return f"""
API          {fleet.api_url}/api/v1
Swagger UI   {fleet.api_url}/docs
Flower       {fleet.flower_url}/tasks, as {watcher} with {flower_password}
Mail         {fleet.mail}/new  (every mail that was sent, one file each)
Logs         {fleet.logs}
Account      {EMAIL}, password {password}

For a shell:

export API={fleet.api_url} TEAM={team} FLOW={flow}
export TOKEN={client.token}

Raise an alert; the first mail comes at once, the next after 30 s unless it is acknowledged:

curl -sS -X POST $API/api/v1/flows/$FLOW/executions -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' -d '{{"summary": "Disk is full"}}'

Acknowledge it: open the link in the mail, or use the id from the answer:

curl -sS -X POST $API/api/v1/executions/ID/acknowledge -H "Authorization: Bearer $TOKEN"
"""


def _team(client: Client) -> str:
    teams = client.teams()
    return str(teams[0]["id"]) if teams else client.create_team("Demo")


def _flow(client: Client, team: str) -> str:
    flows = client.flows(team)
    return str(flows[0]["id"]) if flows else client.create_flow(team, "On call", NODES)


def _password(root: Path) -> str:
    """The demo account's, made once for each root."""
    file = root / "demo.json"
    identity = Identity.read(file, root)
    if identity is None:
        identity = Identity.new(root, root)
        identity.write(file)
    return identity.password
