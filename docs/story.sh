#!/usr/bin/env bash
# From a first model to a better one, and back: every command of the story, on the bundled sample. About three minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() {
  printf '\n$ python3 run.py'
  printf ' %q' "$@"
  printf '\n'
  python3 run.py "$@"
}

# A first model: one small network, briefly trained.
run train -P family=gru_1 -P settings='{"units_1": 32}' -P epochs=4
run promote                                  # dry run: would it pass?
run promote -P mode=enabled                  # the first champion

# A search finds a better one.
run tune -P families=logistic_regression -P max_trials=4
run promote -P mode=enabled

# Back to the previous champion, with a reason that is recorded; and can the model in service be made again?
run promote -P rollback=true -P reason="customers with 5 stars complain"
run reproduce -P run=models:/review-rating@champion
