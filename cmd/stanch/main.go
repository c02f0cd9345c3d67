// Command stanch responds to high-egress detections.
package main

import (
	"os"
	// Images without the system's time zones must know them too.
	_ "time/tzdata"

	"github.com/stanch-soar/stanch/cmd/stanch/command"
)

func main() { os.Exit(command.Main()) }
