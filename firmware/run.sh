#!/bin/sh
# What `cargo run` calls with an image: it goes onto its board, or into an emulator where it is only emulated (and with
# THUMBNET_EMULATE=1).
action=run
[ -n "$THUMBNET_EMULATE" ] && action=emulate
case $1 in /*) image=$1 ;; *) image=$PWD/$1 ;; esac
shift
# From the top, where cargo builds for this computer and not for a board.
cd .. || exit
exec cargo run --quiet --release --package thumbnet-device --bin thumbnet-board -- \
    "$action" "${THUMBNET_BOARD:-mps2-an386}" "$image" "$@"
