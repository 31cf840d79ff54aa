#!/usr/bin/env bash
# One question about every video in a folder: FILE<tab>ANSWER lines on stdout; videos that fail are skipped and named.
# It loads the model for each video; `tempo batch FOLDER -q QUESTION` loads it once (docs/batch.md).
# Usage: loop.sh FOLDER QUESTION [tempo options, such as --model FOLDER]
set -u
folder=$1 question=$2
shift 2
for video in "$folder"/*.mp4 "$folder"/*.mkv "$folder"/*.webm "$folder"/*.mov; do
  [ -e "$video" ] || continue
  if answer=$(tempo ask "$@" --quiet -- "$video" "$question"); then
    printf '%s\t%s\n' "${video##*/}" "${answer//$'\n'/ }"
  else
    printf 'skipped %s (exit code %d)\n' "${video##*/}" $? >&2
  fi
done
