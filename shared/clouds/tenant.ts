/** Whether a tenant is Active Directory Federation Services, as on Azure Stack Hub, instead of Entra ID. */
export const isAdfs = (tenantId: string): boolean => tenantId.toLowerCase() === 'adfs'
