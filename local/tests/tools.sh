# Sourced by the scripts that need tools from PyPI. Each tool gets an environment of its own below the target folder, since their
# dependencies conflict. Sets `top`, the repository, and `target`, the target folder.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$(cd "$top" && mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
tools=$target/tools

export PYTHONDONTWRITEBYTECODE=1

apt_install() {
  local root=()
  if [ "$(id -u)" != 0 ]; then root=(sudo); fi
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# install_tool NAME PACKAGE…: an environment with these packages, created anew when the packages change.
install_tool() {
  local folder=$tools/$1
  shift
  if [ "$(cat "$folder/.installed" 2>/dev/null)" = "$*" ]; then return; fi
  echo "installing $*"
  rm -rf "$folder"
  python3 -c 'import ensurepip, venv' || apt_install python3-venv
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
  echo "$*" >"$folder/.installed"
}

# cargo-lambda comes first in PATH, because it looks for zig in the first Python that it finds.
install_cargo_lambda() {
  install_tool lambda cargo-lambda==1.9.2 ziglang==0.17.1
  export PATH="$tools/lambda/bin:$PATH"
}
