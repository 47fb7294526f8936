"""``python -m actorflow.cli``, where the script is not on the path."""

import sys

from actorflow.cli import main

sys.exit(main())
