package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// openFile opens the file, making it if there is none. A file that is empty or
// damaged is an error, never a new store and never a panic: bbolt panics in a
// goroutine of its own when it meets a damaged page while it opens a file for
// writing, so the file is read through once before.
func openFile(path string) (*bbolt.DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("open the data: %w", err)
	case info.Size() == 0:
		return nil, fmt.Errorf("%s is empty and holds no data; put a copy in its place, or remove it to begin anew", path)
	default:
		if err := verify(path); err != nil {
			return nil, opening(path, err)
		}
	}
	file, err := openBolt(path, &bbolt.Options{Timeout: lockWait, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	return file, opening(path, err)
}

var errDamaged = errors.New("damaged")

func opening(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bbolterrors.ErrTimeout):
		return fmt.Errorf("%s is in use by another process", path)
	case errors.Is(err, errDamaged), errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum),
		errors.Is(err, bbolterrors.ErrVersionMismatch):
		return fmt.Errorf("%s cannot be read: %w; put a copy in its place, or remove it to begin anew", path, err)
	}
	return fmt.Errorf("open the data: %w", err)
}

// openBolt opens a file and turns a panic about its pages into errDamaged.
func openBolt(path string, o *bbolt.Options) (file *bbolt.DB, err error) {
	defer damaged(&err)()
	return bbolt.Open(path, 0o600, o)
}

// damaged makes an error of a panic, also of one that reading a page beyond the
// end of the file causes. It must be called, and what it returns deferred, by
// the function that reads.
func damaged(err *error) (end func()) {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if cause := recover(); cause != nil {
			*err = fmt.Errorf("%w: %v", errDamaged, cause)
		}
	}
}

// verify reads every page of a file that is in use. It touches no more than
// bbolt does when it opens a file whose list of free pages is not stored.
func verify(path string) (err error) {
	defer damaged(&err)()
	file, err := openBolt(path, &bbolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return file.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: it has %d bytes, not %d", errDamaged, info.Size(), tx.Size())
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			var last []byte
			c := b.Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				if v == nil {
					return fmt.Errorf("%w: bucket %s holds a bucket", errDamaged, name)
				}
				if last != nil && bytes.Compare(last, k) >= 0 {
					return fmt.Errorf("%w: bucket %s is out of order", errDamaged, name)
				}
				last = k
			}
			return nil
		})
	})
}
