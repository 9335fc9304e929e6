// SPDX-License-Identifier: Apache-2.0
export { openDataDirectory, type DataDirectory } from './data-directory.ts';
export { DirectoryObjectStore } from './directory-object-store.ts';
export { disk } from './disk.ts';
export { readWhole, writeDurably } from './durable-file.ts';
export type { FileSystem, ReadableFile, WritableFile } from './file-system.ts';
export type { ByteRange, ObjectStore, StagedObject } from './object-store.ts';
export type { Migration, SqlDatabase, SqlReader, SqlRow, SqlTransaction, SqlValue } from './sql-database.ts';
export { SqliteDatabase } from './sqlite-database.ts';
export { fileError, StoreError, type StoreErrorCode } from './store-error.ts';
