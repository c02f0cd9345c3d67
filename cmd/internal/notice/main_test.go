package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNOTICE keeps NOTICE as the modules want it: a change of a dependency
// writes it anew, as the command's comment says.
func TestNOTICE(t *testing.T) {
	notice, err := os.ReadFile("../../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	generated, err := generate("../../stanch")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byHand(string(notice))+generated, string(notice)); diff != "" {
		t.Errorf("NOTICE is not what go run ./cmd/internal/notice NOTICE writes (-want +got):\n%s", diff)
	}
	for _, m := range []string{"go.temporal.io/server", "modernc.org/sqlite", "github.com/google/cel-go"} {
		if !strings.Contains(generated, "\n  "+m+"\n") {
			t.Errorf("%s is in the binary, and not named", m)
		}
	}
}

func TestWhatPeopleWroteStays(t *testing.T) {
	const written = "Stanch\n\nRecords.\n"
	for _, notice := range []string{written, written + "\n" + mark + "\nold\n"} {
		if got := byHand(notice); got != written+"\n" {
			t.Errorf("of %q stays %q", notice, got)
		}
	}
}

const permission = "Permission is hereby granted, free of charge.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\"."

func TestRender(t *testing.T) {
	found := []statement{
		{"example.com/b", false, "The MIT License (MIT)\n\nCopyright (c) 2020 B\n\n" + permission},
		{"example.com/a", false, "# MIT License\r\n\r\nCopyright © 2019 A\r\nCopyright (c) 2021 C\r\n\r\nPermission is hereby granted,\r\nfree of charge.\r\n\r\nTHE SOFTWARE IS PROVIDED “AS IS”.\r\n"},
		{"example.com/c", false, "Copyright 2009 The Authors.\n\n" + permission + "\n\nNo endorsement by the copyright holders of 2009."},
		{"example.com/d", false, "Apache License\nTERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION\n"},
		{"example.com/d", true, "D\nCopyright 2018 D\n"},
	}
	got := render(found)
	line := "\n" + strings.Repeat("-", 79) + "\n"
	_, sections, _ := strings.Cut(got, line)
	want := strings.Join([]string{
		"Under the Apache License 2.0, whose text is in the file LICENSE:\n\n  example.com/d\n",
		"Under this licence:\n\n  example.com/a\n    Copyright © 2019 A\n    Copyright (c) 2021 C\n  example.com/b\n    Copyright (c) 2020 B\n\nPermission is hereby granted,\nfree of charge.\n\nTHE SOFTWARE IS PROVIDED “AS IS”.\n",
		"Under this licence:\n\n  example.com/c\n    Copyright 2009 The Authors.\n\n" + permission + "\n\nNo endorsement by the copyright holders of 2009.\n",
		"Notice:\n\n  example.com/d\n\nD\nCopyright 2018 D\n",
	}, line)
	if diff := cmp.Diff(want, sections); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	found[0], found[4] = found[4], found[0]
	if got != render(found) {
		t.Error("the order in which licences were found changes the text")
	}
}

// A module's licence may be next to the part that it covers.
func TestLicencesAreFoundOnTheWay(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("used/deep/code.go", "package deep")
	write("unused/LICENSE", "unused")
	m := module{path: "example.com/m", dir: dir, folders: []string{filepath.Join(dir, "used", "deep")}}
	if found, err := m.statements(); err == nil || !strings.Contains(err.Error(), "example.com/m carries no licence") {
		t.Errorf("a module without a licence says %v, %v", found, err)
	}
	write("NOTICE.txt", "notice")
	if _, err := m.statements(); err == nil {
		t.Error("a notice is taken for a licence")
	}
	for _, name := range []string{"LICENSE", "used/COPYING.md", "used/deep/LICENSE-3RD", "used/license.go", "used/licenses.txt"} {
		write(name, name)
	}
	found, err := m.statements()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, s := range found {
		texts[s.text] = s.notice
	}
	if diff := cmp.Diff(map[string]bool{"LICENSE": false, "used/COPYING.md": false, "used/deep/LICENSE-3RD": false, "notice": true}, texts); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
