#!/bin/sh
# What `cargo run` calls with an image: it goes onto its board, or into an emulator where it is only emulated (and with
# THUMBNET_EMULATE=1). The tool is built for this computer, whatever the image was built for.
action=run
[ -n "$THUMBNET_EMULATE" ] && action=emulate
exec cargo run --quiet --release --manifest-path ../device/Cargo.toml --target host-tuple --bin thumbnet-board -- \
    "$action" "${THUMBNET_BOARD:-mps2-an386}" "$@"
