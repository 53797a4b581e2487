/** The iSCSI part of the cluster's configuration; its parts by keys that the service gives them. */
export interface ISCSI {
  /** What the names of all targets begin with. */
  baseName?: string;
  /** Who may connect: name, networks and exports. */
  initiators?: Record<string, Record<string, unknown>>;
  /** Where they may connect: names, addresses and portals. */
  portalGroups?: Record<string, Record<string, unknown>>;
  /** What they may connect to: one target a volume. */
  targets?: Record<string, Record<string, unknown>>;
  [field: string]: unknown;
}

/** What `iSCSIConfig()` gives. */
export interface ISCSIConfig {
  /** The configuration. */
  iscsi: ISCSI;
}

/** One change of the iSCSI configuration: a single member, whose name says what to do. */
export type ISCSICommand = Record<string, Record<string, unknown>>;

/** The argument of `iSCSIConfigChange()`. */
export interface ISCSIConfigChange {
  /** Carried out in this order. */
  commands: readonly ISCSICommand[];
}
