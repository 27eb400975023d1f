"""Where the platform is: the embedded server, unless a test writes this file anew."""

from datasurface import *

PLATFORM = EmbeddedPostgres()
