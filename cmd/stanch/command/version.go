package command

import (
	"cmp"
	"errors"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/term"
)

// versionOptions are the flags of version.
type versionOptions struct {
	streams
	output outputFlag
}

func newVersion(s streams) *cobra.Command {
	o := &versionOptions{streams: s}
	c := &cobra.Command{
		Use: "version", Short: "Show what this binary was built from", Args: cobra.NoArgs,
		Example: "  stanch version --output json",
		RunE:    func(*cobra.Command, []string) error { return o.run() },
	}
	o.output.addTo(c)
	return c
}

// build is the build information of a binary.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	// Engine reports whether the embedded engine is built in.
	Engine bool `json:"embedded_engine"`
}

func readBuild() build {
	b := build{Version: "(unknown)", Go: runtime.Version(), Engine: embedded.BuiltIn}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (o *versionOptions) run() error {
	b := readBuild()
	return o.output.print(o.streams, b, func(*term.Printer) error {
		commit := cmp.Or(b.Commit, "not recorded")
		if b.Modified {
			commit += ", with changes"
		}
		engine := "built in"
		if !b.Engine {
			engine = "not built in: set temporal.address"
		}
		return errors.Join(o.say("stanch %s", b.Version), o.say("commit:          %s", commit),
			o.say("go:              %s", b.Go), o.say("embedded engine: %s", engine))
	})
}
