#!/bin/sh
# Starts the carrier of the WAL, and again when it was killed: keep-carrier.sh SPOOL COMMAND...
# What it is killed by may be the kernel, out of memory; WAL waits until it runs again.
spool=$1
shift
umask 077
tries=0
while [ -d "$spool" ] && [ $tries -lt 100 ]; do
    "$@"
    code=$?
    case $code in
    # It ended because the server has, or it said why it cannot work.
    0 | 2) exit ;;
    esac
    # A file that stays when it is killed.
    if [ ! -e "$spool/pid" ]; then
        echo "$1 ended at once, exit code $code; log/wal-carrier.log says why" >"$spool/refused"
        exit
    fi
    tries=$((tries + 1))
    sleep 1
done
