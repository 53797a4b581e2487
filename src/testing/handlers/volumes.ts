import type { Snapshot, Volume, VolumeCreate, VolumeRevert, VolumeUpdate } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { checkFields, flag, onAttached, POLICY, size, string } from '../fields.js';
import { invalid } from '../refusal.js';
import { change, policyOf, refuseIfAttached } from './policy.js';
import { detachFromAll } from './reassign.js';

export function volumeCreate(cluster: FakeCluster, body: unknown): Record<string, unknown> {
  const {
    name = '',
    parent,
    baseOn,
    template,
    mcMode: _,
    ...rest
  } = checkFields<Partial<VolumeCreate>>(
    body,
    { ...POLICY, name: string, size, parent: string, baseOn: string, template: string },
    'VolumeCreate',
  );
  if (parent !== undefined && baseOn !== undefined) {
    throw invalid('VolumeCreate: give "parent" or "baseOn", not both.');
  }
  const source =
    baseOn === undefined ? parent && cluster.find('snapshot', parent) : cluster.find('volume', baseOn);
  const settings = template === undefined ? undefined : cluster.template(template);
  const bytes = rest.size ?? (source ? source.size : settings?.size);
  if (typeof bytes !== 'number') throw invalid('VolumeCreate: "size" is missing.');
  if (source && bytes < source.size) {
    throw invalid(`VolumeCreate: "size" is below that of '${source.name}'.`);
  }
  const volume = cluster.objects.volume.create<Volume>({
    ...policyOf(settings ?? (source || {})),
    ...rest,
    name,
    size: bytes,
    templateName: template ?? (source ? source.templateName : ''),
    parentName: baseOn === undefined && source ? source.name : '',
  });
  const made = { globalId: volume.globalId, ...(name === '' && { name: volume.name }) };
  if (baseOn === undefined) return made;
  const autoName = cluster.autoName();
  cluster.objects.snapshot.create<Snapshot>({
    ...policyOf(source || {}),
    name: autoName,
    transient: true,
    autoName: true,
    size: bytes,
  });
  volume.parentName = autoName;
  return { ...made, autoName };
}

export function volumeUpdate(cluster: FakeCluster, name: string, body: unknown): void {
  const {
    rename,
    template,
    sizeAdd,
    shrinkOk,
    mcMode: _,
    ...rest
  } = checkFields<VolumeUpdate>(
    body,
    { ...POLICY, rename: string, size, sizeAdd: size, template: string, shrinkOk: flag },
    'VolumeUpdate',
  );
  const volume = cluster.find('volume', name);
  const before = volume.size;
  if (rest.size !== undefined && sizeAdd !== undefined) {
    throw invalid('VolumeUpdate: give "size" or "sizeAdd", not both.');
  }
  const after = sizeAdd === undefined ? (rest.size ?? before) : before + sizeAdd;
  if (after < before && shrinkOk !== true) {
    throw invalid(`VolumeUpdate: '${name}' would shrink; "shrinkOk" allows that.`);
  }
  const settings = template === undefined ? undefined : cluster.template(template);
  const templateName = settings?.name ?? volume.templateName;
  if (rename !== undefined && rename !== volume.name) cluster.rename('volume', volume, rename);
  change(volume, { ...policyOf(settings ?? {}), ...rest, size: after, templateName });
}

export function volumeRevert(cluster: FakeCluster, name: string, body: unknown): void {
  const { toSnapshot, revertSize } = checkFields<VolumeRevert>(
    body,
    { 'toSnapshot!': string, revertSize: flag },
    'VolumeRevert',
  );
  const volume = cluster.find('volume', name);
  const snapshot = cluster.find('snapshot', toSnapshot);
  refuseIfAttached(cluster, 'volume', volume.name);
  if (snapshot.size !== volume.size && revertSize !== true) {
    throw invalid(`VolumeRevert: '${toSnapshot}' has another size; "revertSize" takes that too.`);
  }
  change(volume, { parentName: snapshot.name, size: snapshot.size });
}

export function volumeDelete(cluster: FakeCluster, name: string, body: unknown = {}): void {
  const argument = checkFields<{ onAttached?: string }>(body, { onAttached }, 'VolumeDelete');
  const volume = cluster.find('volume', name);
  if (argument.onAttached?.startsWith('detach')) {
    detachFromAll(cluster, 'volume', volume.name, argument.onAttached === 'detachForce');
  }
  refuseIfAttached(cluster, 'volume', volume.name);
  cluster.delete('volume', volume);
}
