package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/seal"
)

// keyFile is the name of the file with the key of the secrets, next to the data file:
// a copy of the data file alone reveals no secret.
const keyFile = "secrets.key"

// sealedKind distinguishes the sealed values in the file from others.
const sealedKind = "local"

// keyCheck is the key, and in clear the value, of the item that only the right key opens.
const keyCheck = "check"

// keyRandom draws the key and nonces. It is not Options.Random, which tests repeat: they
// appear in no result, and the same ones twice would be a fault.
var keyRandom = rand.Reader

// sealedAt is the place of a version of a secret.
func sealedAt(name, version string) seal.Place {
	return seal.Place{Kind: sealedKind, Tenant: name, Version: version}
}

// openKey reads the key file of an open data file. It creates one for a data file that
// has never had one, and then seals the secrets in it. It fails if the key file is
// missing, or is not the one of this data file.
func openKey(dir string, bolt *bbolt.DB) (seal.Ring, error) {
	path, data := filepath.Join(dir, keyFile), bolt.Path()
	var check string
	err := bolt.View(func(tx *bbolt.Tx) error {
		check = string(bucket(tx, "secretkey").Get([]byte(keyCheck)))
		return nil
	})
	if err != nil {
		return seal.Ring{}, fmt.Errorf("read data file: %w", err)
	}
	ring, err := readKey(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && check != "":
		return seal.Ring{}, fmt.Errorf("%s is missing: it is the key of the secrets in %s; restore it, or remove that file too to start with an empty store", path, data)
	case errors.Is(err, fs.ErrNotExist):
		ring, err = createKey(path)
	}
	if err != nil {
		return seal.Ring{}, err
	}
	if check == "" {
		return ring, sealAll(bolt, ring)
	}
	if text, err := ring.Open(check, sealedAt("", keyCheck)); err != nil || string(text) != keyCheck {
		return seal.Ring{}, fmt.Errorf("%s is not the key of the secrets in %s; restore the one that was created with it", path, data)
	}
	return ring, nil
}

func readKey(path string) (seal.Ring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return seal.Ring{}, fmt.Errorf("open key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return seal.Ring{}, fmt.Errorf("%s may be read by others: chmod 600 it", path)
	}
	stored, err := os.ReadFile(path) //nolint:gosec // in the folder of the settings
	if err != nil {
		return seal.Ring{}, fmt.Errorf("open key file: %w", err)
	}
	ring, err := seal.DecodeRing(stored)
	if err != nil {
		return seal.Ring{}, fmt.Errorf("%s is damaged; restore it: %w", path, err)
	}
	return ring, nil
}

// createKey creates the key file, whole or not at all, and syncs it: secrets that are
// sealed with a lost key are lost too.
func createKey(path string) (seal.Ring, error) {
	ring, err := seal.NewRing(keyRandom)
	if err != nil {
		return seal.Ring{}, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), keyFile+".*") // 0600
	if err != nil {
		return seal.Ring{}, fmt.Errorf("create key file: %w", err)
	}
	_, err = file.Write(ring.Encode())
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return seal.Ring{}, errors.Join(fmt.Errorf("create key file: %w", err), os.RemoveAll(file.Name()))
	}
	return ring, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path) //nolint:gosec // in the folder of the settings
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sealAll seals the secrets of a data file that has no check yet, and adds the check.
// Only a data file of an earlier version has secrets in plain text.
func sealAll(bolt *bbolt.DB, ring seal.Ring) error {
	return bolt.Update(func(tx *bbolt.Tx) error {
		b := bucket(tx, "secrets")
		changed := map[string]storedSecret{}
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			var stored storedSecret
			if _, err := load(b, k, &stored); err != nil {
				continue // unreadable, as before
			}
			for version, text := range stored.Versions {
				if !strings.HasPrefix(text, "{") {
					continue
				}
				sealed, err := ring.Seal([]byte(text), sealedAt(string(k), version), seal.FirstKey, keyRandom)
				if err != nil {
					return err
				}
				stored.Versions[version] = sealed
			}
			changed[string(k)] = stored
		}
		for name, stored := range changed {
			if err := save(b, []byte(name), stored); err != nil {
				return err
			}
		}
		check, err := ring.Seal([]byte(keyCheck), sealedAt("", keyCheck), seal.FirstKey, keyRandom)
		if err != nil {
			return err
		}
		return bucket(tx, "secretkey").Put([]byte(keyCheck), []byte(check))
	})
}
