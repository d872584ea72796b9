#!/bin/sh
# Hands a WAL file over to ShopFlow's carrier and waits for its answer: hand-over-wal.sh NAME SPOOL
# 0 when the carrier has done it (archived: it is in the store for good), 3 when there is no such
# file in the store, 1 for a failure. Only sh and coreutils: the server's user need not be able to
# run ShopFlow's Python, and starting that would take longer than the whole hand-over does.
name=$1 spool=$2
fail() {
    echo "the WAL file $name: $1" >&2
    exit 1
}
rm -f "$spool/$name.done" "$spool/$name.failed" "$spool/$name.missing"
: >"$spool/$name.ask" || fail "it cannot be handed over in $spool"
# Read and write: to open it for writing alone would wait for a reader.
echo 1<>"$spool/wake"
# One that ended in good order took its number away; one that was killed starts again in a moment,
# and PostgreSQL, after three failures, would wait a minute.
dead=0
while [ -e "$spool/pid" ] && [ $dead -lt 1000 ]; do
    [ -e "$spool/$name.done" ] && exit 0
    [ -e "$spool/$name.missing" ] && exit 3
    [ -e "$spool/$name.failed" ] && fail "$(cat "$spool/$name.failed")"
    read -r carrier <"$spool/pid"
    if kill -0 "$carrier" 2>/dev/null; then dead=0; else dead=$((dead + 1)); fi
    sleep 0.01
done
fail "ShopFlow's process that carries it to the store does not run: shopflow up starts it again"
