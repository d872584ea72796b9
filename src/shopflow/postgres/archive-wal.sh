#!/bin/sh
# Copies a finished WAL segment into the archive: archive-wal.sh SEGMENT NAME DIRECTORY
# Whole or not at all, on the disk before it answers 0; never over another segment of that name.
# Only sh and coreutils: the server's user need not be able to run ShopFlow's Python.
segment=$1 name=$2 target=$3/$2.gz temporary=$3/.$2.$$
fail() {
    echo "archiving $name into ${target%/*} failed: $1" >&2
    rm -f "$temporary"
    exit 1
}
if [ ! -e "$target" ]; then
    gzip -1 -n -c "$segment" >"$temporary" || fail "it could not be written"
    sync "$temporary" || fail "it could not be synced"
    # Of two at once, the second finds the first's.
    ln "$temporary" "$target" 2>/dev/null || [ -e "$target" ] || fail "it could not be named"
    rm -f "$temporary"
fi
gzip -d -c "$target" | cmp -s - "$segment" ||
    fail "another segment of that name is there: is this archive another server's?"
sync "${target%/*}" || fail "the directory could not be synced"
