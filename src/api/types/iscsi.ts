/** The iSCSI part of the cluster's configuration. The service chooses the keys. */
export interface ISCSI {
  /** What the names of all targets begin with. */
  baseName?: string;
  /** Who may connect: name, networks and exports. */
  initiators?: Record<string, Record<string, unknown>>;
  /** Where they may connect: names, addresses and portals. */
  portalGroups?: Record<string, Record<string, unknown>>;
  /** What they may connect to: one target per volume. */
  targets?: Record<string, Record<string, unknown>>;
  [field: string]: unknown;
}

/** What `iSCSIConfig()` returns. */
export interface ISCSIConfig {
  /** The configuration. */
  iscsi: ISCSI;
}

/** One change of the iSCSI configuration: a single member, whose name is the command. */
export type ISCSICommand = Record<string, Record<string, unknown>>;

/** The argument of `iSCSIConfigChange()`. */
export interface ISCSIConfigChange {
  /** The changes, carried out in this order. */
  commands: readonly ISCSICommand[];
}
