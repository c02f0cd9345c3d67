package service

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// giveBackStart gives back the memory of those parts of the program that its
// start has read: a start looks at 130 MB of code and tables, of which a service
// at work needs a third. What is needed again is read from the file again.
func giveBackStart() error {
	mapped, err := program()
	if err != nil {
		return err
	}
	for _, m := range mapped {
		if _, _, no := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED); no != 0 {
			return fmt.Errorf("give back the program's memory at %x: %w", m.from, no)
		}
	}
	return nil
}

// mapping is a part of the program in memory.
type mapping struct {
	from, to uintptr
	resident int // KiB
}

// program lists the parts of the program that are as they are in its file: that
// cannot be written to, and never were.
func program() ([]mapping, error) {
	name, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("find the program's file: %w", err)
	}
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil, fmt.Errorf("find the program's memory: %w", err)
	}
	defer func() { _ = file.Close() }()
	var out []mapping
	var m mapping
	ours := false
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, rest, _ := strings.Cut(lines.Text(), " ")
		kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		switch {
		case !strings.HasSuffix(key, ":"):
			ours = strings.HasPrefix(rest, "r-") && strings.HasSuffix(rest, " "+name)
			if _, err := fmt.Sscanf(key, "%x-%x", &m.from, &m.to); err != nil {
				return nil, fmt.Errorf("read a part of the program's memory from %q: %w", lines.Text(), err)
			}
		case key == "Rss:":
			m.resident = kib
		case key == "Anonymous:" && ours && kib == 0:
			out = append(out, m)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the program's memory: %w", err)
	}
	if len(out) == 0 {
		return nil, errors.New("the program's memory is not among what the system lists")
	}
	return out, nil
}
