# The Makefile's own rules, in a small project of one library file and one program.

load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
bats_require_minimum_version 1.5.0

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir -p common/base stages tests/unit recipes out
    cp "$root/Makefile" "$root/pipeline.mk" .
    cp -r "$root/scripts" "$root/man" .
    printf '#define ANSWER 42\n' >common/base/answer.h
    printf '#include "base/answer.h"\nint answer(void);\nint answer(void)\n{\n    return ANSWER;\n}\n' \
        >common/base/answer.c
    printf 'int other(void);\nint other(void)\n{\n    return 1;\n}\n' >common/base/other.c
    printf '%s\n' '#include <stdio.h>' 'int answer(void);' 'int main(int argc, char **argv)' '{' '    (void)argv;' \
        '    return argc > 1 ? !puts(".TH HELLO 1 2000-01-01 \"onebox 7.1\"") : answer();' '}' >stages/hello.c
    echo 'arch tiny' >recipes/cls.recipe
    echo licence | tee LICENSE THIRD-PARTY.md >README.md
}

mk() {
    env -i PATH="$PATH" HOME="$HOME" make --no-print-directory LDLIBS= "$@"
}

later() {
    sleep 0.02
}

@test "make builds the programs with a short line for each file, then has nothing to do" {
    run -0 mk
    assert_line "  CC    build/common/base/answer.o"
    assert_line "  LINK  bin/hello"
    refute_output --partial "-Wall"
    run -42 bin/hello
    run -0 mk
    assert_output "make: Nothing to be done for 'all'."
    run -0 mk -q
}

@test "V=1 shows the commands" {
    run -0 mk V=1
    assert_output --partial "gcc -D_GNU_SOURCE -Icommon -O2 -g"
    refute_line "  CC    build/common/base/answer.o"
}

@test "a changed header rebuilds what includes it and nothing else" {
    mk
    later
    echo '#define ANSWER 43' >common/base/answer.h
    run -0 mk
    assert_line "  CC    build/common/base/answer.o"
    refute_line "  CC    build/common/base/other.o"
    run -43 bin/hello
}

@test "a header that was removed with its last use does not stop the build" {
    mk
    later
    sed -i '/include/d; s/ANSWER/44/' common/base/answer.c
    rm common/base/answer.h
    run -0 mk
    run -44 bin/hello
}

@test "a removed source leaves the library" {
    mk
    run -0 ar t build/libonebox.a
    assert_line other.o
    rm common/base/other.c
    run -0 mk
    run -0 ar t build/libonebox.a
    refute_line other.o
}

@test "a new file in stages is a new program" {
    mk
    cp stages/hello.c stages/second.c
    run -0 mk
    run -42 bin/second
}

@test "other options rebuild the objects, and a dry run does not forget them" {
    mk
    run -1 mk -q CFLAGS=-O0
    run -0 mk -n CFLAGS=-O0
    run -0 mk -q
    run -0 mk CFLAGS=-O0
    assert_line "  CC    build/common/base/answer.o"
    run -0 mk -q CFLAGS=-O0
    run -1 mk -q
}

@test "another compiler works in folders of its own" {
    command -v clang >/dev/null || skip "clang is not installed"
    echo 'int main(void) { return 0; }' >probe.c
    clang -fopenmp probe.c -o probe 2>/dev/null || skip "clang has no OpenMP library (libomp-dev)"
    mk
    run -0 mk CC=clang BUILD=build/clang BIN=build/clang/bin
    assert_line "  CC    build/clang/common/base/answer.o"
    run -42 build/clang/bin/hello
    run -0 mk -q CC=clang BUILD=build/clang BIN=build/clang/bin
    run -0 mk -q
}

@test "CC may be several words" {
    mkdir tools
    printf '#!/bin/sh\nexec "$@"\n' >tools/launcher
    chmod +x tools/launcher
    PATH=$PWD/tools:$PATH run -0 mk CC='launcher gcc'
    run -42 bin/hello
    PATH=$PWD/tools:$PATH run -2 mk BUILD=build/no BIN=build/no CC='launcher no-such-compiler'
    assert_line --partial "missing: gcc"
}

@test "a missing library is named in one line, with the package" {
    mkdir tools
    for tool in sh bash env make mkdir printf sed; do ln -s "$(command -v $tool)" tools/; done
    run -2 env -i PATH="$PWD/tools" make
    assert_line --partial "missing: gcc libc6-dev libjsmn-dev"
    assert_line --partial "make deps"
    [ ! -e bin ]
}

@test "make deps names the packages when it can't install them" {
    mkdir tools
    for tool in sh bash env make; do ln -s "$(command -v $tool)" tools/; done
    run -2 env -i PATH="$PWD/tools" make deps
    assert_line --partial "deps: no apt-get here; install the equivalents of: gcc libc6-dev"
}

# A machine without compiler: apt-get, sudo and id are scripts that write their arguments down.
poor_machine() { # UID
    mkdir tools
    for tool in sh bash env make mktemp rm grep tail sleep; do ln -s "$(command -v $tool)" tools/; done
    printf '%s\n' '#!/bin/sh' "echo \"apt-get \$*\" >>$PWD/calls" \
        "[ ! -e $PWD/offline ] || { echo \"E: Failed to fetch\"; exit 100; }" \
        "if [ -e $PWD/unknown ]; then" \
        "case \$* in *libdnnl-dev) echo \"E: Unable to locate package libdnnl-dev\"; exit 100; esac; fi" \
        >tools/apt-get
    printf '#!/bin/sh\necho sudo >>%s/calls\nexec "$@"\n' "$PWD" >tools/sudo
    printf '#!/bin/sh\necho %s\n' "$1" >tools/id
    chmod +x tools/apt-get tools/sudo tools/id
}

@test "make deps updates and installs, as root without sudo, else with it" {
    poor_machine 0
    run -0 env -i PATH="$PWD/tools" make deps
    run -0 cat calls
    assert_line --index 0 --regexp '^apt-get .* update$'
    assert_line --index 1 --regexp '^apt-get .*install --no-install-recommends gcc libc6-dev .*curl$'
    assert_line --index 2 --regexp '^apt-get .*install --no-install-recommends libdnnl-dev$'
    printf '#!/bin/sh\necho 1000\n' >tools/id
    rm calls
    run -0 env -i PATH="$PWD/tools" make deps
    run -0 cat calls
    assert_line --index 0 sudo
    rm tools/sudo
    run -2 env -i PATH="$PWD/tools" make deps
    assert_line --partial "deps: run as root: apt-get install gcc"
}

@test "make deps CC=aarch64-linux-gnu-gcc installs a compiler for ARM64 and its libraries" {
    [ "$(uname -m)" != aarch64 ] || skip "this is an ARM64 machine"
    poor_machine 0
    printf '#!/bin/sh\necho "dpkg $*" >>%s/calls\n' "$PWD" >tools/dpkg
    chmod +x tools/dpkg
    run -0 env -i PATH="$PWD/tools" make deps CC=aarch64-linux-gnu-gcc
    run -0 cat calls
    assert_line --index 0 "dpkg --add-architecture arm64"
    assert_line --index 2 --regexp '^apt-get.*install --no-remove .*gcc-aarch64-linux-gnu .*jsmn-dev .*libpng-dev:arm64'
    refute_output --partial libdnnl
}

@test "make deps says in one line that the package servers can't be reached" {
    poor_machine 0
    touch offline
    run -2 env -i PATH="$PWD/tools" make deps
    assert_line "deps: the package lists cannot be fetched (offline?): E: Failed to fetch"
}

@test "make deps goes on without a package that is only of use" {
    poor_machine 0
    touch unknown
    run -0 env -i PATH="$PWD/tools" make deps
    assert_line "deps: going on without libdnnl-dev: E: Unable to locate package libdnnl-dev"
}

@test "make check installs what is missing first" {
    poor_machine 0
    touch offline
    run -2 env -i PATH="$PWD/tools" make check
    assert_line --partial "deps: installing gcc"
}

@test "make help lists targets, settings, products and devices" {
    run -0 mk help
    for word in "  check " "  asan " "  deps " "  install " "  clean " "  VOC " "  WEIGHTS " "  ORDER " "  detn " \
        "out/224.cache" "ONEDNN=auto" "make out/detn.ckpt"; do
        assert_output --partial "$word"
    done
}

@test "make help has a line for every target of the build" {
    run -0 mk help
    for target in all units check asan lint deps man install uninstall clean distclean help anno csv cache cls bbox \
        detn \
        why status params-diff accept report; do
        assert_output --regexp "  $target +[a-z]"
    done
}

@test "make install honours PREFIX and DESTDIR, uninstall takes exactly that away" {
    mkdir recipes/demo
    echo 'arch tiny' >recipes/demo/cls.recipe
    run -0 mk install PREFIX=/opt/onebox DESTDIR="$PWD/image root"
    run -42 "image root/opt/onebox/bin/onebox" hello
    assert_equal "$(ls "image root/opt/onebox/bin")" onebox
    for file in libexec/onebox/hello share/onebox/recipes/cls.recipe share/onebox/recipes/demo/cls.recipe \
        share/man/man1/hello.1 share/man/man7/onebox.7 share/bash-completion/completions/onebox \
        share/onebox/pipeline.mk share/onebox/scripts/onebox.mk share/onebox/scripts/stage; do
        [ -f "image root/opt/onebox/$file" ] || { echo "no $file"; return 1; }
    done
    grep -q '^.TH ONEBOX 7 2000-01-01 "onebox 7.1"' "image root/opt/onebox/share/man/man7/onebox.7"
    echo mine | tee "image root/opt/onebox/bin/other" >"image root/opt/onebox/share/onebox/recipes/mine.recipe"
    run -0 mk uninstall PREFIX=/opt/onebox DESTDIR="$PWD/image root"
    run -0 find "image root" ! -type d
    assert_equal "$(sort <<<"$output")" "image root/opt/onebox/bin/other
image root/opt/onebox/share/onebox/recipes/mine.recipe"
    rm "image root/opt/onebox/share/onebox/recipes/mine.recipe"
    run -0 mk uninstall PREFIX=/opt/onebox DESTDIR="$PWD/image root"
    [ ! -e "image root/opt/onebox/share/onebox" ]
}

@test "make install says in one line what went where, and strips the programs" {
    run -0 mk install PREFIX=/p DESTDIR="$PWD/image"
    assert_line "  INSTALL 1 programs in $PWD/image/p/libexec/onebox"
    refute_output --partial "install -"
    for line in "${lines[@]}"; do
        [ ${#line} -le 160 ] || { echo "long: $line"; return 1; }
    done
    run nm image/p/libexec/onebox/hello
    assert_output --partial "no symbols"
    run -0 mk install PREFIX=/p DESTDIR="$PWD/image" V=1
    assert_output --partial "install -D -m 755 -s"
}

@test "make install LINKS=1 gives the programs their own names too; uninstall takes them, and nobody else's" {
    cp stages/hello.c stages/report.c
    mkdir -p image/p/bin
    run -0 mk install PREFIX=/p DESTDIR="$PWD/image" LINKS=1
    run -42 image/p/bin/hello
    assert_equal "$(readlink image/p/bin/report)" ../libexec/onebox/report
    [ -L image/p/share/bash-completion/completions/report ]
    run -0 mk install PREFIX=/p DESTDIR="$PWD/image" LINKS=1
    run -0 mk uninstall PREFIX=/p DESTDIR="$PWD/image"
    run -0 find image ! -type d
    assert_output ""
    # another program of that name stays, and is said to be in the way
    echo other >image/p/bin/report
    run -2 mk install PREFIX=/p DESTDIR="$PWD/image" LINKS=1
    assert_output --partial "'report': File exists"
    run -0 mk uninstall PREFIX=/p DESTDIR="$PWD/image"
    assert_equal "$(find image ! -type d)" image/p/bin/report
    # and so is a folder
    rm image/p/bin/report
    mkdir image/p/bin/report
    run -2 mk install PREFIX=/p DESTDIR="$PWD/image" LINKS=1
    assert_output --partial "'report': File exists"
    assert_equal "$(ls image/p/bin/report)" ""
}

@test "make install and uninstall leave another package's manual page alone, and say so" {
    mkdir -p "my image/p/share/man/man1"
    page="my image/p/share/man/man1/hello.1"
    echo '.TH HELLO 1 2020-01-01 "GNU hello"' >"$page"
    run -0 mk install PREFIX=/p DESTDIR="$PWD/my image"
    assert_line "  KEEP    $PWD/$page, which is not onebox's (onebox help hello shows ours)"
    assert_line "  INSTALL 0 manual pages in $PWD/my image/p/share/man/man1"
    run -0 mk uninstall PREFIX=/p DESTDIR="$PWD/my image"
    assert_equal "$(cat "$page")" '.TH HELLO 1 2020-01-01 "GNU hello"'
    echo '.TH HELLO 1 2000-01-01 "onebox 7.0"' >"$page"
    run -0 mk install PREFIX=/p DESTDIR="$PWD/my image"
    refute_output --partial KEEP
    assert_equal "$(cat "$page")" '.TH HELLO 1 2000-01-01 "onebox 7.1"'
    run -0 mk uninstall PREFIX=/p DESTDIR="$PWD/my image"
    run -0 find "my image" ! -type d
    assert_output ""
}

@test "make install again, over an older copy, changes nothing that is the same" {
    run -0 mk install PREFIX=/p DESTDIR="$PWD/image"
    (cd image && find . ! -type d -exec sha256sum {} + | sort) >first
    run -0 mk install PREFIX=/p DESTDIR="$PWD/image"
    (cd image && find . ! -type d -exec sha256sum {} + | sort) | diff - first
}

@test "make clean keeps products and data; distclean keeps data only" {
    mk
    touch out/cls.ckpt out/.gitignore
    mkdir -p data out/log
    touch data/photo.jpg out/log/cls.log
    run -0 mk clean
    [ ! -e bin ]
    [ ! -e build ]
    [ -e out/cls.ckpt ]
    run -0 mk distclean
    [ ! -e out/cls.ckpt ]
    [ ! -e out/log ]
    [ -e out/.gitignore ]
    [ -e data/photo.jpg ]
}

@test "make clean never removes folders outside the project" {
    mkdir -p ../outside project
    mk clean BUILD=../outside BIN=/nowhere
    [ -d ../outside ]
    rmdir ../outside
}
