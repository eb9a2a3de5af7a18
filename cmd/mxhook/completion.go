package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// shells are those for which there are completion scripts.
var shells = []string{"bash", "zsh", "fish"}

// runCompletion prints a script that lets a shell complete commands, flags and values.
func runCompletion(ctx context.Context, t *terminal, args []string) int {
	f := newFlags(t, "completion")
	given, status, ok := f.parse(args, 1, 1)
	if !ok {
		return status
	}
	if !slices.Contains(shells, given[0]) {
		return f.wrong("shell %q is unknown; these are: %s", given[0], strings.Join(shells, ", "))
	}
	all := describe(ctx)
	switch given[0] {
	case "bash":
		completeBash(t.stdout, all)
	case "zsh":
		completeZsh(t.stdout, all)
	case "fish":
		completeFish(t.stdout, all)
	}
	return exitGood
}

func namesOf(all []described) (names []string) {
	for _, d := range all {
		names = append(names, d.name)
	}
	return names
}

func completeBash(w io.Writer, all []described) {
	fmt.Fprintf(w, `# bash completion for mxhook. For all users:
#   mxhook completion bash > /usr/share/bash-completion/completions/mxhook
_mxhook_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }
_mxhook_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); }
_mxhook() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		_mxhook_words "%s"
		return
	fi
	case "${COMP_WORDS[1]}" in
`, strings.Join(namesOf(all), " "))
	for _, d := range all {
		fmt.Fprintf(w, "\t%s)\n\t\tcase \"$prev\" in\n", d.name)
		var flags []string
		for _, f := range d.flags {
			flags = append(flags, f.names...)
			words, file := f.choices()
			switch {
			case f.argument == "":
			case file:
				fmt.Fprintf(w, "\t\t%s) _mxhook_files; return ;;\n", strings.Join(f.names, "|"))
			default:
				fmt.Fprintf(w, "\t\t%s) _mxhook_words \"%s\"; return ;;\n", strings.Join(f.names, "|"), strings.Join(words, " "))
			}
		}
		fmt.Fprintf(w, "\t\tesac\n\t\tcase \"$cur\" in\n\t\t-*) _mxhook_words \"%s\" ;;\n", strings.Join(append(flags, "--help"), " "))
		if words, file := d.choices(all); file {
			fmt.Fprint(w, "\t\t*) _mxhook_files ;;\n")
		} else if len(words) > 0 {
			fmt.Fprintf(w, "\t\t*) _mxhook_words \"%s\" ;;\n", strings.Join(words, " "))
		}
		fmt.Fprint(w, "\t\tesac ;;\n")
	}
	fmt.Fprint(w, "\tesac\n}\ncomplete -F _mxhook mxhook\n")
}

func completeZsh(w io.Writer, all []described) {
	fmt.Fprint(w, "#compdef mxhook\n# zsh completion for mxhook, as _mxhook in a folder of $fpath:\n#   mxhook completion zsh > \"${fpath[1]}/_mxhook\"\n_mxhook() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, d := range all {
		fmt.Fprintf(w, "\t\t%s\n", single(d.name+":"+d.summary))
	}
	fmt.Fprint(w, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe -t commands 'mxhook command' commands\n\t\treturn\n\tfi\n\tlocal command=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $command in\n")
	for _, d := range all {
		fmt.Fprintf(w, "\t%s)\n\t\t_arguments -s", d.name)
		for _, f := range d.flags {
			for _, name := range f.names {
				fmt.Fprintf(w, " \\\n\t\t\t%s", single("*"+name+"["+zshText(f.usage)+"]"+zshValue(f)))
			}
		}
		words, file := d.choices(all)
		switch {
		case file:
			fmt.Fprint(w, " \\\n\t\t\t'*:file:_files'")
		case len(words) > 0:
			fmt.Fprintf(w, " \\\n\t\t\t%s", single("1:argument:("+strings.Join(words, " ")+")"))
		}
		fmt.Fprint(w, " ;;\n")
	}
	fmt.Fprint(w, "\tesac\n}\nif [ \"$funcstack[1]\" = _mxhook ]; then _mxhook \"$@\"; else compdef _mxhook mxhook; fi\n")
}

// zshValue is what _arguments wants to know of a flag's value.
func zshValue(f describedFlag) string {
	words, file := f.choices()
	switch {
	case f.argument == "":
		return ""
	case file:
		return ":" + f.argument + ":_files"
	}
	return ":" + zshText(f.argument) + ":(" + strings.Join(words, " ") + ")"
}

// zshText escapes what means something inside a specification.
func zshText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(s)
}

func completeFish(w io.Writer, all []described) {
	fmt.Fprint(w, "# fish completion for mxhook:\n#   mxhook completion fish > ~/.config/fish/completions/mxhook.fish\ncomplete -c mxhook -f\n")
	none := "not __fish_seen_subcommand_from " + strings.Join(namesOf(all), " ")
	for _, d := range all {
		fmt.Fprintf(w, "complete -c mxhook -n %s -a %s -d %s\n", single(none), d.name, fishText(d.summary))
	}
	for _, d := range all {
		when := single("__fish_seen_subcommand_from " + d.name)
		for _, f := range d.flags {
			fmt.Fprintf(w, "complete -c mxhook -n %s%s -d %s\n", when, fishFlag(f), fishText(f.usage))
		}
		if words, file := d.choices(all); file {
			fmt.Fprintf(w, "complete -c mxhook -n %s -F\n", when)
		} else if len(words) > 0 {
			fmt.Fprintf(w, "complete -c mxhook -n %s -a %s\n", when, single(strings.Join(words, " ")))
		}
	}
}

func fishFlag(f describedFlag) (s string) {
	for _, name := range f.names {
		if long, ok := strings.CutPrefix(name, "--"); ok {
			s += " -l " + long
		} else {
			s += " -s " + strings.TrimPrefix(name, "-")
		}
	}
	words, file := f.choices()
	switch {
	case f.argument == "":
	case file:
		s += " -r -F"
	default:
		s += " -x -a " + single(strings.Join(words, " "))
	}
	return s
}

// single puts a text between single quotes of bash and zsh; fish has the same for texts
// without quotes and backslashes.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func fishText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
