//go:build !unix && !no_embedded

package embedded

import (
	"errors"
	"os"
)

// keepOthersOut fails: only the locks of Unix are known here.
func keepOthersOut(*os.File) error {
	return errors.New("it cannot be locked on this system: copy the folder, and use it on Linux")
}
