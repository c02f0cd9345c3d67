// Command stanch responds to high-egress detections.
package main

import (
	"os"

	"github.com/stanch-soar/stanch/cmd/stanch/command"
)

func main() { os.Exit(command.Main()) }
