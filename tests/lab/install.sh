#!/bin/sh
# The laboratory's system packages: installed where we are root and have apt,
# else what is missing is said, and the laboratory skips.
missing=
for tool in nft:nftables ip:iproute2 conntrack:conntrack; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${tool%%:*}" >/dev/null ||
        missing="$missing ${tool##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing for the laboratory:$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "The laboratory (two real NATs) will be skipped; it needs root and:$missing" >&2
exit 0
