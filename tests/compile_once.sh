#!/bin/sh
# compile_once.sh FOLDER COMPILER ARGUMENTS...: runs the compiler. If the same command has compiled the same file before, the
# object is copied from FOLDER instead. Where the object and the list of headers go is no part of the command.
folder=$1
shift
key= object= headers= before=
for word in "$@"; do
    case $before in
    -o) object=$word ;;
    -MF) headers=$word ;;
    -MT) ;;
    *) case $word in -o | -MF | -MT) ;; *) key="$key $word" ;; esac ;;
    esac
    before=$word
done
case " $* " in
*" -c "*) ;;
*) exec "$@" ;;
esac
[ -n "$object" ] || exec "$@"
kept=$folder/$(printf %s "$key" | sha256sum | cut -c 1-24).o
if [ -f "$kept" ]; then
    [ -z "$headers" ] || : >"$headers"
    exec cp "$kept" "$object"
fi
"$@" || exit
cp "$object" "$kept.$$" && mv "$kept.$$" "$kept"
