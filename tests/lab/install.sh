#!/bin/sh
# What tests need of the system: installed where we are root and have apt, else what
# is missing is said, and the tests that need it skip.

# The packages of those tools (TOOL:PACKAGE) that are not here.
missing() {
    for tool in "$@"; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "${tool%%:*}" >/dev/null ||
            printf ' %s' "${tool##*:}"
    done
}

install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "Installing for the tests:$*"
    # Unquoted: a word for each package.
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $* >/dev/null
}

lab=$(missing nft:nftables ip:iproute2 conntrack:conntrack)
[ -z "$lab" ] || install "$lab" ||
    echo "The laboratory (two real NATs) will be skipped; it needs root and:$lab" >&2

coturn=$(missing turnserver:coturn turnutils_stunclient:coturn)
if [ -n "$coturn" ]; then
    # Its package would start a server for all the world.
    [ "$(id -u)" = 0 ] && systemctl mask coturn.service >/dev/null 2>&1
    install " coturn" ||
        echo "The tests against coturn will be skipped; they need: coturn" >&2
fi
exit 0
