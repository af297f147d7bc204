#!/usr/bin/env bash
# upgrade.sh DEBIAN.TAR DIR: unpacks a Debian tree twice below DIR, and in `after` upgrades one package from the security
# suite and removes another, with Debian's own programs. Leaves beside them what apt called upgradable. Runs as root.
set -euo pipefail
tar=$1 dir=$2 removed=logsave
mkdir -p "$dir/before" "$dir/after"
tar -xpf "$tar" --numeric-owner -C "$dir/before"
tar -xpf "$tar" --numeric-owner -C "$dir/after"
root=$dir/after
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$root" "$@" </dev/null; }

# The machine's own way to the network; taken out again below, so that it is in no layer.
cp "$root/etc/hosts" "$dir/hosts" 2>/dev/null || :
cat /etc/hosts >"$root/etc/hosts"
cat /etc/resolv.conf >"$root/etc/resolv.conf"
for name in http https; do
  proxy=$(apt-config dump --format '%v' "Acquire::$name::Proxy" 2>/dev/null || :)
  [ -z "$proxy" ] || echo "Acquire::$name::Proxy \"$proxy\";" >>"$root/etc/apt/apt.conf.d/99machine"
done
mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }' "$root/etc/apt/sources.list")
echo "deb ${mirror%/}-security bookworm-security main" >"$root/etc/apt/sources.list.d/security.list"

inside apt-get update -qq
inside apt list --upgradable 2>/dev/null | { grep upgradable || :; } >"$dir/upgradable"
# A library without much around it, if one of these has an update; else whatever has.
package=$(cut -d/ -f1 "$dir/upgradable" | { grep -xE 'libssl3|libc6|zlib1g|libgcrypt20|libgnutls30|liblzma5|libsqlite3-0' || cut -d/ -f1 "$dir/upgradable"; } | sed -n 1p)
[ -n "$package" ] || { echo "nothing is upgradable from the security suite" >&2; exit 1; }
old=$(inside dpkg-query -W -f '${Version}' "$package")
inside apt-get install -qq -y --no-install-recommends --only-upgrade "$package" >/dev/null
new=$(inside dpkg-query -W -f '${Version}' "$package")
inside dpkg --purge --force-depends "$removed" >/dev/null
inside apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root/etc/resolv.conf" "$root/etc/hosts"
rm -f "$root/etc/apt/apt.conf.d/99machine" "$root/etc/apt/sources.list.d/security.list"
[ ! -e "$dir/hosts" ] || cp "$dir/hosts" "$root/etc/hosts"
echo "$package $old $new" >"$dir/upgraded"
