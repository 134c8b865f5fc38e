#!/bin/sh
# An objective for tests: objective.sh RATE OPTIMIZER [MOMENTUM]. Reports three steps, then gives RATE + a step's worth.
case $1 in
fail) exit 3 ;;
esac
echo "0 3"
echo "1 2"
echo "a line that is no report"
echo "2 1"
[ "$2" = adam ] || [ -n "$3" ] || exit 4
echo "$1"
