#!/bin/sh
# venv.sh PYTHON FOLDER: a virtual environment with pip in FOLDER.
# Debian's python3 comes without ensurepip (that is the package python3-venv): pip then comes from the
# Python itself where it has one, or from Debian's wheel, unpacked here and installed nowhere else.
set -eu
python=$1
folder=$2

fail() {
  echo "error: $1" >&2
  rm -rf "$folder"
  exit 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$python is missing or older than 3.11. Fix: make env PYTHON=/path/to/python3.11"
if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  exec "$python" -m venv "$folder"
fi
"$python" -m venv --without-pip "$folder" ||
  fail "$python has no venv module. Fix: apt-get install python3-venv, or make env PYTHON=/path/to/python3.11"
if "$python" -m pip --version >/dev/null 2>&1; then
  exec "$python" -m pip --python "$folder/bin/python" install --quiet --disable-pip-version-check pip
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/wheel"
# lists of its own, so that it works without root and on an image whose lists were deleted
apt="-qq -o Dir::State::Lists=$work/lists -o Dir::Cache=$work -o Debug::NoLocking=1 -o APT::Sandbox::User="
(
  cd "$work"
  # shellcheck disable=SC2086
  apt-get $apt update && apt-get $apt download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb wheel
) || fail "no pip for $python. Fix: apt-get install python3-venv, or make env PYTHON=/path/to/python3.11"
wheel=$(echo "$work"/wheel/usr/share/python-wheels/pip-*.whl)
"$folder/bin/python" "$wheel/pip" install --quiet --disable-pip-version-check pip
