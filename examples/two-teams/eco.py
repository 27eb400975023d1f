"""Two teams with repositories of their own: sales has the data, finance may use them because sales approved it."""

from teams.finance import finance
from teams.sales import sales

from datasurface import *

ecosystem = Ecosystem(
    "acme",
    owner=GitHubRepository("acme/model"),
    vendors=[Vendor("own", cloud=Cloud.PRIVATE, locations=["germany/fra1"])],
    platforms=[YellowPlatform("yellow", keep_batches=10)],
    zones=[GovernanceZone("europe", owner=GitHubRepository("acme/europe"), teams=[sales, finance])],
)
