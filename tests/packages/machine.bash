# A bare Debian to try things in, for scripts that source this: a container where an engine of Docker answers, else a chroot
# where this is root. Nothing is started in it, and it goes when the script ends.
#
#   machine_open PACKAGE...     makes it, with these packages of Debian beside those that every Debian has
#   machine_cap NAME            before that: a capability that it is given
#   machine_do COMMAND [ARG...] runs a command in it, as root
#   machine_download TEXT [ARG...]  runs a text of shell in it that downloads something, up to three times
#   machine_put FROM TO         copies a file or folder into it, to the folder TO
#
# LEVERET_TEST_BASE names an image to use instead of one that debootstrap makes.
# shellcheck shell=bash

# Without either, there is nothing to be proved on this machine.
readonly MACHINE_NONE=77
# What this machine trusts, which may be more than Debian does.
readonly MACHINE_TRUST=/etc/ssl/certs/ca-certificates.crt

umask 022
machine_scratch=$(mktemp -d "${TMPDIR:-/tmp}/leveret-machine-XXXXXX")
machine_name=$(basename "$machine_scratch" | tr '[:upper:]' '[:lower:]')
machine_root=$machine_scratch/root
machine_kind=
machine_image=
machine_capabilities=()
# Commands that go on behind, by their pid: whoever begins one enters it here.
machine_behind=()
# Debian's programs ask nothing, and find what it is that this machine trusts.
machine_variables=(
    DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
    PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    "SSL_CERT_FILE=$MACHINE_TRUST" "CARGO_HTTP_CAINFO=$MACHINE_TRUST" CARGO_NET_RETRY=10
)

machine_close() {
    local pid
    # What runs in a chroot goes with its `unshare`.
    for pid in "${machine_behind[@]}"; do
        pkill -KILL -P "$pid" || true
        wait "$pid" 2>/dev/null || true
    done
    if [[ $machine_kind == container ]]; then
        docker rm --force --volumes "$machine_name" >/dev/null 2>&1 || true
        [[ -z $machine_image ]] || docker image rm "$machine_image" >/dev/null 2>&1 || true
    fi
    machine_unmount
    rm -rf --one-file-system "$machine_scratch"
}
trap machine_close EXIT

machine_say() {
    printf '=== %s\n' "$*"
}

machine_cap() {
    machine_capabilities+=("--cap-add=$1")
}

# debootstrap mounts /proc in there; one that did not come to its end leaves it.
machine_unmount() {
    local point
    while read -r point; do
        umount --lazy "$point" || true
    done < <(awk -v below="$machine_root/" 'index($2, below) == 1 { print $2 }' /proc/mounts | tac)
}

machine_debootstrap() {
    if ! command -v debootstrap >/dev/null; then
        if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
            echo "there is no debootstrap, and this is no Debian with a user who may install it" >&2
            exit "$MACHINE_NONE"
        fi
        .ci/install debootstrap
    fi
    machine_say "a bare Debian by debootstrap"
    local attempt
    for attempt in 1 2 3; do
        if debootstrap --variant=minbase --include=ca-certificates bookworm "$machine_root" >"$machine_scratch/log" 2>&1; then
            return
        fi
        # Most of what it does is to fetch: what a mirror did not give it, it may give now.
        echo "debootstrap failed, attempt $attempt" >&2
        machine_unmount
        rm -rf --one-file-system "$machine_root"
    done
    tail -n 20 "$machine_scratch/log" >&2
    exit 1
}

machine_open() {
    if docker info >/dev/null 2>&1; then
        machine_kind=container
        local image=${LEVERET_TEST_BASE:-}
        if [[ -z $image ]]; then
            machine_debootstrap
            image=$machine_name:base
            machine_image=$image
            tar --create --directory "$machine_root" --numeric-owner . | docker import - "$image" >/dev/null
            rm -rf "$machine_root"
        fi
        docker run --detach --init --name "$machine_name" "${machine_capabilities[@]}" "$image" \
            sleep infinity >/dev/null
    elif ((EUID == 0)); then
        machine_kind=chroot
        machine_debootstrap
        # Names are looked up as this machine does it.
        cp -L /etc/resolv.conf /etc/hosts "$machine_root/etc/"
    else
        echo "neither an engine of Docker answers nor is this root: no other machine can be made here" >&2
        exit "$MACHINE_NONE"
    fi
    machine_say "made: a $machine_kind"
    [[ ! -e $MACHINE_TRUST ]] || machine_put "$MACHINE_TRUST" "$(dirname "$MACHINE_TRUST")"
    machine_do sh -c 'printf "%s\n" "APT::Get::Assume-Yes \"true\";" "Acquire::Retries \"5\";" >/etc/apt/apt.conf.d/90test
        printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d'
    (($# == 0)) || machine_download 'apt-get update --quiet && apt-get install --quiet --no-install-recommends "$@"' "$@"
}

# Runs a text of shell with arguments, up to three times: what a network does not give at once, it may give a while later.
machine_download() {
    local attempt
    for attempt in 1 2 3; do
        machine_do sh -euc "$1" sh "${@:2}" >"$machine_scratch/log" 2>&1 </dev/null && return
        tail -n 20 "$machine_scratch/log" >&2
        echo "attempt $attempt of 3 failed: $*" >&2
        ((attempt == 3)) || sleep "$((attempt * ${LEVERET_AGAIN_SECONDS:-10}))"
    done
    return 1
}

# As nice to others as this script is.
machine_do() {
    if [[ $machine_kind == container ]]; then
        docker exec --interactive "${machine_variables[@]/#/--env=}" "$machine_name" nice -n "$(nice)" "$@"
    else
        # With processes and mounts of its own, which go with the command.
        unshare --mount --pid --fork --kill-child --mount-proc="$machine_root/proc" \
            chroot "$machine_root" env --ignore-environment "${machine_variables[@]}" "$@"
    fi
}

machine_put() {
    machine_do mkdir -p "$2"
    tar --create --directory "$(dirname "$1")" --numeric-owner --owner=0 --group=0 --dereference "$(basename "$1")" |
        machine_do tar --extract --directory "$2"
}
